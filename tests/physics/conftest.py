from __future__ import annotations

import numpy as np
import pytest

from codesign.data.readers.checks import CLASS_NAMES
from codesign.data.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES, FEATURE_UNITS, constituents_block, features_of


@pytest.fixture(scope="session")
def jets() -> np.ndarray:
    """Toy constituents (40, 32, 3), hardest first: two or three prongs with soft radiation, some jets nearly empty."""
    random = np.random.default_rng(3)
    out = np.zeros((40, 32, 3), dtype=np.float32)
    for jet in range(40):
        n = [0, 1, 2, 3][jet] if jet < 4 else int(random.integers(8, 33))
        prongs = random.uniform(-0.2, 0.2, (2 + jet % 2, 2))
        which = random.integers(0, len(prongs), n)
        out[jet, :n, 0] = -np.sort(-(1000 * random.dirichlet(np.full(n, 0.4)) + 0.5)) if n else 0
        out[jet, :n, 1:] = prongs[which] + random.normal(0, 0.04, (n, 2))
    return out


@pytest.fixture
def sample(jets: np.ndarray) -> Sample:
    features = features_of(jets)
    labels = np.arange(len(jets)) % 5
    return Sample(
        features,
        labels,
        FEATURE_NAMES,
        FEATURE_UNITS,
        CLASS_NAMES,
        (constituents_block(jets),),
        {"origin": "test", "seed": 3},
    )
