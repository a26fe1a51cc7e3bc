"""Tests of the freeze hook."""
