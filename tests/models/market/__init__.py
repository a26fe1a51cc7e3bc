"""Tests of models/market."""
