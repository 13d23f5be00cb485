"""Events with the common record's names and a response that is known: what the task has to find out."""

import awkward as ak
import numpy as np

FLAVOURS = np.array([1, 21, 4, 5])


def toy_events(n=4000, seed=1, jets=2, third=0.12):
    """Dijets with a soft third jet; HLT jets have pile-up's offset, a response falling with |eta|, lower for gluons."""
    rng = np.random.default_rng(seed)
    rho = rng.uniform(8, 40, n)
    pt = np.exp(rng.uniform(np.log(15), np.log(700), n))
    phi = rng.uniform(-np.pi, np.pi, n)
    eta = rng.uniform(-4.6, 4.6, (n, 3))
    eta[: n // 2, 0] = rng.uniform(-1.2, 1.2, n // 2)
    gen_pt = np.stack([pt, pt, third * pt], axis=1)
    gen_phi = np.stack([phi, _turn(phi + np.pi), _turn(phi + np.pi / 2)], axis=1)
    parton = FLAVOURS[rng.integers(0, 4, (n, 3))]
    area = rng.normal(0.5, 0.02, (n, 3))
    gluon = parton == 21
    true = 0.92 - 0.05 * np.abs(eta) - 0.06 * gluon
    constituents = rng.poisson(np.where(gluon, 24, 14) * (gen_pt / 50) ** 0.3) + 1
    smear = np.exp(rng.normal(0, 0.12, (n, 3)))
    raw = gen_pt * true * smear + rho[:, None] * area * 0.9
    offline = gen_pt * np.exp(rng.normal(0, 0.08, (n, 3)))
    fractions = rng.dirichlet([6, 2, 0.2, 2, 0.1], (n, 3))
    corrected = raw * 1.1  # what the trigger's own correction made of it; raw is pt (1 - rawFactor)

    def jagged(array):
        return ak.from_regular(ak.Array(array))

    own = dict(zip(("chHEF", "neHEF", "chEmEF", "neEmEF", "muEF"), np.moveaxis(fractions, 2, 0), strict=True))
    hlt = {"pt": corrected, "eta": eta, "phi": gen_phi, "rawFactor": 1 - raw / corrected, "area": area}
    hlt |= {"nConstituents": constituents} | own
    hadron = np.where(parton > 3, np.where(parton == 21, 0, parton), 0)
    gen = {"pt": gen_pt, "eta": eta, "phi": gen_phi, "hadronFlavour": hadron, "partonFlavour": parton}
    jet = hlt | {"pt": offline, "rawFactor": 1 - 0.9 * gen_pt / offline}
    return ak.zip(
        {
            "HLTJet": ak.zip({k: jagged(v) for k, v in hlt.items()}),
            "GenJet": ak.zip({k: jagged(v) for k, v in gen.items()}),
            "Jet": ak.zip({k: jagged(v) for k, v in jet.items()}),
            "Rho": ak.zip({"fixedGridRhoFastjetAll": rho}),
            "PV": ak.zip({"npvs": rng.poisson(rho)}),
            "event": np.arange(n),
        },
        depth_limit=1,
    )


def _turn(phi):
    return np.angle(np.exp(1j * phi))
