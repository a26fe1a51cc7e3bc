"""What is said about it: incidents, reasons and the alert's envelope."""
