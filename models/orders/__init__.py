"""What comes in: order events, decoded into records or refused with a reason."""
