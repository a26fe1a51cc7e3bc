"""Tests of models/lifecycle."""
