"""Design-space exploration: the search, its records and its front."""
