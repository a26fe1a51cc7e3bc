"""What it adds up to: apps that leak, accounts that profit."""
