"""Whether a worker lives and keeps up: watchdog, health, metrics."""
