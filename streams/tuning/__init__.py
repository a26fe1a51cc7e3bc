"""Thresholds swept over a tape, and what each would have cost."""
