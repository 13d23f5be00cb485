"""Jets of eight classes whose candidates say which they are, and whose pT is known to 20 %, as the cache has them."""

import numpy as np

from codesign.physics.detector.cone_pieces import CLASSES, FIELDS, ITEMS

#: the kind of most candidates of each class
_KIND = ("pion", "antipion", "neutral_hadron", "photon", "antipion", "pion", "muon", "electron")


def toy_cones(jets, seed=1):
    """One piece of so many jets, two of an event."""
    dice = np.random.default_rng(seed)
    label = np.arange(jets) % len(CLASSES)
    number = 2 + dice.poisson(np.array([9, 8, 7, 11, 3, 3, 1, 1])[label])
    share = dice.exponential(1, (jets, ITEMS)) * (np.arange(ITEMS) < number[:, None])
    share = -np.sort(-share / share.sum(axis=1, keepdims=True), axis=1)
    reference = dice.uniform(21, 150, jets)
    raw = reference * np.exp(dice.normal(-0.1, 0.2, jets))
    items = np.zeros((jets, ITEMS, len(FIELDS)), np.float32)
    there = share > 0
    column = {name: place for place, name in enumerate(FIELDS)}
    items[..., column["pt"]] = share * raw[:, None]
    items[..., column["pt_rel"]] = share
    items[..., column["pt_log"]] = np.log(np.where(there, share * raw[:, None], 1))
    items[..., column["deta"]] = dice.normal(0, 0.1, there.shape)
    items[..., column["dphi"]] = dice.normal(0, 0.1, there.shape)
    items[..., column["dxy"]] = dice.normal(0, np.array([0.05, 0.03, *[0.01] * 6])[label][:, None], there.shape)
    items[..., column["is_filled"]] = items[..., column["puppi_weight"]] = 1
    usual = dice.random(there.shape) < 0.6
    for k, name in enumerate(_KIND):
        items[..., column[f"is_{name}"]][(label == k)[:, None] & usual] = 1
    items[..., column["is_neutral_hadron"]][~usual] = 1
    items[~there] = 0
    return {
        "items": items,
        "class": label,
        "raw_pt": raw,
        "reference_pt": reference,
        "eta": dice.uniform(-2, 2, jets),
        "phi": dice.uniform(-3, 3, jets),
        "number": number,
        "event": np.arange(jets) // 2,
    }
