"""A study of a few trials."""

from __future__ import annotations

import yaml

from codesign.core.resources import locate
from codesign.study.definition import parse_study


def small_study():
    study = yaml.safe_load(locate("search", "jet-tagger").read_text(encoding="utf-8"))
    study["sample"]["events"] = 3000
    study["splits"] = {"train": 0.4, "validation": 0.2, "test": 0.4}
    study["training"] = {"epochs": 2, "batch": 128, "learning_rate": 0.01}
    study["space"] |= {"depth": 1, "width": [4, 6], "weight_bits": 3, "activation_bits": 2}
    study["search"] = {"trials": 2, "sampler": "random"}
    return parse_study(yaml.safe_dump(study), "small.yaml")
