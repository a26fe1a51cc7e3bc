"""Tests of models/profiteers."""
