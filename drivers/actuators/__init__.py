"""Relays and whatever else opens something while it is on."""
