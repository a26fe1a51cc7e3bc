"""Tests of `streams.worker.worker`."""
