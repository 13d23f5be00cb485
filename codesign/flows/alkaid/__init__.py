"""Alkaid: a design as a pipeline of adders."""
