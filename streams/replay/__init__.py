"""The detector over a file, or over a topic's past."""
