"""Attention whose cost grows with the number of items only."""
