"""Models that others trained, read as data into a design."""
