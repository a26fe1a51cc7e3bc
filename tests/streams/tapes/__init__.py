"""Tests of `streams.tapes.files`."""
