"""Tests of streams/lifecycle."""
