"""The exchange as others see it: a small signed HTTP interface, its client, and a mock of it."""
