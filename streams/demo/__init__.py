"""The demo: a market with thieves in it, through every part, in some three minutes."""
