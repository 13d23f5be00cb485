"""Flows from a design to firmware, and the tools that measure it."""
