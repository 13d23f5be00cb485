"""Gated recurrent units, unrolled."""
