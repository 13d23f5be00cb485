"""Deep sets."""
