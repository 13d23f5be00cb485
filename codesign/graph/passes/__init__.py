"""Passes: pure functions that make a graph smaller and leave every integer as it is."""
