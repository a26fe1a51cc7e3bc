"""Tests of `streams.dead`."""
