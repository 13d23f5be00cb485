"""Networks in which every item sees the mean of all."""
