"""Calibration: what cheap estimates of logic are worth, measured against the tools that come closer to the chip."""
