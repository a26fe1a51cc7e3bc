"""Everything that is true without Kafka: pure, deterministic, no clock, no environment."""
