"""Samples: tables of labelled events, and their split."""
