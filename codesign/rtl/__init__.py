"""Register-transfer level: firmware's types, packing, wrappers, lines of a board."""
