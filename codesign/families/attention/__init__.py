"""Attention with a softmax of tables."""
