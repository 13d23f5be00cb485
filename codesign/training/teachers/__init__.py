"""Teachers in floating point, of torch: what designs learn from is no part of them."""
