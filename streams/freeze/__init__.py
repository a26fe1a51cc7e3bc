"""The freeze hook: decides on alerts, keeps what it decided, and tells the exchange."""
