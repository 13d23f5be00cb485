"""Entities of the experiments around a network, each with benches that compare every word."""
