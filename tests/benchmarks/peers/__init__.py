"""Tests of the peers' job."""
