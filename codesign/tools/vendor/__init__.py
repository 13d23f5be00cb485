"""Tools of the chips' vendors: found on the PATH, run, and their reports read."""
