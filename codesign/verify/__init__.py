"""Proof that the firmware gives the same integers as the trained network."""
