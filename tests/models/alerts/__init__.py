"""Tests of models/alerts."""
