"""Bundles for those who use the chosen model."""
