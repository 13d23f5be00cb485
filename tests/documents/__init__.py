"""Numbers of README and documentation: each comes from a record in ``reports/reference``, by a script."""
