"""Tapes: order events in files and on topics, read, imported and produced."""
