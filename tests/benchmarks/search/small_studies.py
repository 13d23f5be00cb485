"""Four shipped studies, made small enough that a minute holds a search, and the boxes in which fronts are measured."""

from __future__ import annotations

from typing import Any

from codesign.study.definition import Study, load_study
from tests.benchmarks.search.volume import Box

__all__ = ("BOXES", "SAMPLERS", "described", "small_study")

SAMPLERS = ("nsga2", "nsga3", "tpe", "gp", "random")

#: sections that differ from the shipped study's
_SMALLER: dict[str, dict[str, Any]] = {
    "jet-tagger": {
        "sample": {"card": "jets-13tev", "events": 6000},
        "training": {"epochs": 12, "batch": 256, "learning_rate": 0.02},
    },
    # one training for each layout, and many candidates of it
    "jet-tagger-learned": {
        "sample": {"card": "jets-13tev", "events": 6000},
        "training": {"epochs": 40, "batch": 256, "learning_rate": 0.01},
    },
    # at a false-positive rate of 1e-2: fewer events tell no smaller one
    "l1-anomaly": {
        "sample": {"zero_bias": 8000, "signal": 600},
        "training": {"epochs": 8, "batch": 256, "learning_rate": 0.01},
        "objectives": [
            {"name": "tpr_mean_1e-2", "direction": "maximise"},
            {"name": "lut", "direction": "minimise"},
        ],
    },
    # without the bounds on closure and coverage, which a training as short as this seldom keeps
    "hlt-jet-energy": {
        "sample": {"cards": {"qcd-dijets": 2000, "ttbar": 600}},
        "training": {"epochs": 10, "batch": 512, "learning_rate": 0.02},
        "constraints": [{"name": "lut", "max": 4000}, {"name": "latency_ns", "max": 100}],
    },
}

#: of the objectives, as the study has them: a good value and none at the one end; at the other what is of no use (the
#: LUTs' bound, or what a network of no skill has)
BOXES = {
    "jet-tagger": Box(("maximise", "minimise"), (1.0, 0.0), (0.5, 6000.0)),
    "jet-tagger-learned": Box(("maximise", "minimise"), (1.0, 0.0), (0.5, 6000.0)),
    "l1-anomaly": Box(("maximise", "minimise"), (0.6, 0.0), (0.4, 8000.0)),
    "hlt-jet-energy": Box(("minimise", "minimise", "minimise"), (0.15, 0.0, 0.0), (0.25, 0.05, 4000.0)),
}


def small_study(name: str, sampler: str, seed: int) -> Study:
    """A small study with a sampler; a seed is that of the splits, the trainings and the sampler."""
    data = load_study(name).model_dump(mode="json")
    sample = data["sample"] | _SMALLER[name]["sample"]
    data |= _SMALLER[name] | {"seed": seed, "sample": sample}
    # a latency is much the same for all that fits: it would make the jets' problem no harder, only its table wider
    data["objectives"] = [o for o in data["objectives"] if o["name"] != "latency_ns"]
    data["search"] = {"trials": 1000, "population": 8, "sampler": sampler}
    data["verification"] = {"gate_events": 1000, "rtl_events": 1000}
    return Study.model_validate(data)


def described(name: str) -> dict[str, Any]:
    """What a record says of a small study: what differs from the shipped one, and its box."""
    study, box = small_study(name, "random", 1), BOXES[name]
    return {
        "sample": study.sample,
        "training": study.training.model_dump(),
        "population": study.search.population,
        "objectives": [o.name for o in study.objectives],
        "best": list(box.best),
        "reference_point": list(box.worst),
    }
