"""Samples: generated with Pythia and FastJet, or read from files; features, labels, provenance and splits."""
