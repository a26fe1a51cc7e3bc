"""Dead letters: what was refused, kept byte for byte, shown and replayed."""
