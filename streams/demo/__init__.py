"""The demo: a market with thieves in it, through every part, in a minute and a half."""
