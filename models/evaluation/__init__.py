"""What alerts are worth: scored against what truly happened."""
