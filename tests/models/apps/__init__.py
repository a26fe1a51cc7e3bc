"""Tests of models/apps."""
