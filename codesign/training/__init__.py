"""The training loop, fused twins, quantisers and the export (Brevitas lives here and in the families)."""
