"""How unlikely that is: surprises, the isolation forest, calibrated probabilities."""
