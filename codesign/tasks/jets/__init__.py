"""Jet energy: inputs, response and its metrics, the factorised correction, turn-on curves, and dijet balance."""
