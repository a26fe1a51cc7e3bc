"""What a market is doing: rolling volume, volatility and impact of each symbol at a venue."""
