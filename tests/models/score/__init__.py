"""Tests of models/score."""
