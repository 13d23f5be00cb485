"""Boosted trees: trained here by one of several libraries, or read from the files that those libraries write."""
