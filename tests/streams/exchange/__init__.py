"""Tests of the exchange interface."""
