"""Convolutions along items in their order."""
