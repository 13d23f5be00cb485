"""Small types, figures, records, errors, run folder, store: what every room knows."""
