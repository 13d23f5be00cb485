"""Families of quantised networks."""
