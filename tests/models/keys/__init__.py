"""Tests of models/keys."""
