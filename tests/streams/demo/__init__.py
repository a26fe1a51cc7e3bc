"""Tests of `streams.demo.demo`."""
