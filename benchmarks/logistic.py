"""Logistic regression with bounded coefficients."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from models.orders.batch import Bools, Float64s

Bound = tuple[float | None, float | None]


def fit_bounded(
    x: Float64s, y: Bools, weights: Float64s, bounds: Sequence[Bound], l2: float
) -> Float64s:
    """Coefficients of the columns of x, then the intercept, shape (d + 1,).

    Minimises the weighted log loss plus `l2` times the sum of squared coefficients, by L-BFGS-B;
    the intercept is free and not penalised.

    Parameters
    ----------
    x : shape (n, d).
    y : shape (n,), the class; both must occur.
    weights : shape (n,); they are scaled so that both classes weigh the same.
    bounds : lower and upper bound of each of the d coefficients; None: no bound.
    l2 : weight of the penalty.
    """
    balanced = weights.astype(np.float64)
    balanced[y] *= 0.5 / balanced[y].sum()
    balanced[~y] *= 0.5 / balanced[~y].sum()

    def loss_and_gradient(fitted: Float64s) -> tuple[float, Float64s]:
        odds = x @ fitted[:-1] + fitted[-1]
        penalty = l2 * float(fitted[:-1] @ fitted[:-1])
        loss = float(balanced @ (np.logaddexp(0.0, odds) - y * odds)) + penalty
        slope = balanced * (0.5 * (1.0 + np.tanh(odds / 2.0)) - y)
        return loss, np.append(x.T @ slope + 2.0 * l2 * fitted[:-1], slope.sum())

    start = np.append(np.zeros(x.shape[1]), -1.0)
    found = minimize(
        loss_and_gradient, start, jac=True, method="L-BFGS-B", bounds=[*bounds, (None, None)]
    )
    return np.asarray(found.x, np.float64)
