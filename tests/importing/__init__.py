"""Importing models of others."""
