"""Input preparation in the firmware: raw hardware codes to what a network sees, exactly and as part of the design."""
