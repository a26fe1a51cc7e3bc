"""Isolation forests as others score them: each takes float32 rows and gives a score of each.

All but isotree import the very trees that scikit-learn has fitted; isotree grows its own, of the
same number and depth. Everything has one thread.
"""

import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.ensemble import IsolationForest

from models.orders.batch import Float32s
from models.score.forest import flatten, score

Scorer = Callable[[Float32s], Any]

OURS: Final = "roguekey"
SKLEARN: Final = "scikit-learn"
ISOTREE: Final = "isotree"


def roguekey(forest: IsolationForest, _: Float32s) -> Scorer:
    """Give our kernels, as the detector calls them."""
    ours = flatten(forest)
    return lambda x: score(ours, x)  # type: ignore[arg-type]  # float32 as well, for a fair race


def sklearn(forest: IsolationForest, _: Float32s) -> Scorer:
    """Give `score_samples`, turned so that higher is stranger."""
    return lambda x: -forest.score_samples(x)


def onnxruntime(forest: IsolationForest, x: Float32s) -> Scorer:
    """Give the graph that skl2onnx makes of it."""
    runtime, skl2onnx = import_module("onnxruntime"), import_module("skl2onnx")
    graph = skl2onnx.to_onnx(forest, x[:1], target_opset={"": 15, "ai.onnx.ml": 3})
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(graph.SerializeToString(), options)
    # its scores are those of decision_function
    return lambda x: -(session.run(["scores"], {"X": x})[0][:, 0] + forest.offset_)


def treelite(forest: IsolationForest, _: Float32s) -> Scorer:
    """Give Treelite's general-purpose inference library."""
    library = import_module("treelite")
    trees = library.sklearn.import_model(forest)
    return lambda x: library.gtil.predict(trees, x, nthread=1).ravel()


def tl2cgen(forest: IsolationForest, _: Float32s) -> Scorer:
    """Give the C that TL2cgen writes, compiled with gcc."""
    library = import_module("tl2cgen")
    trees = import_module("treelite").sklearn.import_model(forest)
    with tempfile.TemporaryDirectory() as folder:  # once loaded, the library may go
        compiled = Path(folder, "forest.so")
        library.export_lib(trees, toolchain="gcc", libpath=compiled, params={})
        predictor = library.Predictor(compiled, nthread=1)
    return lambda x: predictor.predict(library.DMatrix(x)).ravel()


def isotree(forest: IsolationForest, x: Float32s) -> Scorer:
    """Give isotree's own forest."""
    own = import_module("isotree").IsolationForest(
        ntrees=len(forest.estimators_),
        sample_size=forest.max_samples_,
        ndim=1,
        missing_action="fail",
        nthreads=1,
        random_seed=1,
    )
    scorer: Scorer = own.fit(x).predict
    return scorer


MAKERS: Final = {
    OURS: roguekey,
    SKLEARN: sklearn,
    "onnxruntime": onnxruntime,
    "treelite": treelite,
    "tl2cgen": tl2cgen,
    ISOTREE: isotree,
}


def scorers(
    forest: IsolationForest, x: Float32s, tell: Callable[[str], None]
) -> Iterator[tuple[str, Scorer]]:
    """Give each scorer whose library is installed; tells of the others."""
    for name, make in MAKERS.items():
        try:
            scorer = make(forest, x)
        except ImportError as error:
            tell(f"{name} is left out: {error}")
        else:
            yield name, scorer


def largest_difference(scorer: Scorer, forest: IsolationForest, x: Float32s) -> float:
    """How far a scorer's scores are from scikit-learn's, at most."""
    return float(np.abs(np.asarray(scorer(x)) + forest.score_samples(x)).max())
