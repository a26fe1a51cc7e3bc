"""A simulated exchange with attacks and look-alikes, labelled, for training, tests and demos."""
