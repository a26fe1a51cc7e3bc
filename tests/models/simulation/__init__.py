"""Tests of models/simulation."""
