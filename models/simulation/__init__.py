"""A simulated exchange with attacks and look-alikes, labelled, for training, tests and demos."""

from models.simulation.regimes import REGIMES, SCENARIOS, Regime, regime_of
from models.simulation.simulator import simulate
from models.simulation.tape import Tape, json_lines, to_orders

__all__ = [
    "REGIMES",
    "SCENARIOS",
    "Regime",
    "Tape",
    "json_lines",
    "regime_of",
    "simulate",
    "to_orders",
]
