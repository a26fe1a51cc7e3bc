"""Tests of the evidence folder."""
