"""Networks of all pairs of items."""
