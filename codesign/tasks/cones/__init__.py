"""Seeded-cone jets of a Level-1 correlator: their class and their pT."""
