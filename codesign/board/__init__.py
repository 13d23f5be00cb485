"""Boards: how a host talks to the firmware on a real chip."""
