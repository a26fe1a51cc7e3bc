"""What an API key is doing: its own past, and each pair of key and market."""
