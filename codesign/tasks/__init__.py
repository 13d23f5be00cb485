"""Physics tasks: what is learned, and how it is judged."""
