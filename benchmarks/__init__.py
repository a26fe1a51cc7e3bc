"""Benchmarks: what the detector finds, what it costs, and how its constants came about."""
