"""Tests of `streams.tuning.tuning`."""
