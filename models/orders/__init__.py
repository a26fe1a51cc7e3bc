"""What comes in: order events, decoded into columns or refused with a reason."""
