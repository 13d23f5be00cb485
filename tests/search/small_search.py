"""A search of a few small trials, and what its journal says afterwards."""

from __future__ import annotations

import math

import yaml

from codesign.core.records import TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.search.engine import run_study
from codesign.search.progress import Silent
from codesign.search.storage import open_study
from codesign.study.definition import parse_study
from tests.search.conftest import STUDY


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def search(study, path, trials=None, workers=1, **more):
    doubles = {"pipeline": "toy"}
    return run_study(study, path, trials, workers, **doubles, **more)


def changed(**changes):
    return parse_study(yaml.safe_dump(yaml.safe_load(STUDY) | changes), "toy.yaml")


def statuses(path):
    return {t.number: t.read("status.json", TrialStatus) for t in RunFolder(path).trials()}


def trace(path):
    """What every trial was and scored, without times."""
    return [
        (t.number, t.read_json("config.json"), t.read_json("metrics.json"), t.read("status.json", TrialStatus).seed)
        for t in RunFolder(path).trials()
    ]


def optuna_states(path, study):
    trials = open_study(RunFolder(path), study, None).get_trials(deepcopy=False)
    return [(t.user_attrs.get("trial"), t.state.name, t.user_attrs.get("reason")) for t in trials]


def refused(path, study):
    """By trial, how far the sampler was told that those are which it was told to be impossible."""
    trials = open_study(RunFolder(path), study, None).get_trials(deepcopy=False)
    return {
        t.user_attrs["trial"]: t.constraints["target"]
        for t in trials
        if t.state.name == "COMPLETE" and all(map(math.isinf, t.values))
    }
