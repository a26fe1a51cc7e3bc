"""Accounts that sell into what leaked keys buy."""
