"""One candidate's way: trained, exported, compiled, gated; on the front judged on test, synthesised, simulated."""
