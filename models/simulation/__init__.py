"""A simulated exchange with attacks and look-alikes, labelled, for training, tests and demos."""

from models.simulation.regimes import REGIMES, SCENARIOS, Regime, regime_of
from models.simulation.simulator import simulate
from models.simulation.tape import Tape, to_orders, write_labels, write_orders

__all__ = [
    "REGIMES",
    "SCENARIOS",
    "Regime",
    "Tape",
    "regime_of",
    "simulate",
    "to_orders",
    "write_labels",
    "write_orders",
]
