"""Pattern files of the experiments: read, and written."""
