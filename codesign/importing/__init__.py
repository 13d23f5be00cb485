"""Models that others trained: files and modules, read into exact designs, or refused with all their obstacles."""
