"""The configuration of a small candidate."""

from __future__ import annotations

CONFIG = {"widths": [6], "weight_bits": [3, 3], "activation_bits": [3], "input_bits": 6, "sparsity": 0.2}
