"""Networks with learned precision."""
