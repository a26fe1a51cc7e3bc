"""Tests of `streams.replay.replay`."""
