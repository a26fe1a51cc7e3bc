"""Everything that touches Kafka, HTTP, the clock or the environment; `models` holds the rest."""
