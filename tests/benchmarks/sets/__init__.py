"""``make bench-constituents``: networks on the constituents of jets beside HGQ2's JEDI-linear, unrolled and folded."""
