"""Ways to the brokers: clients, credentials, partitions, and a broker of our own for demos."""
