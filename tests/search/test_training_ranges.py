"""Settings of training that are ranges are drawn with each candidate, and go into its training."""

import pytest
import yaml

from codesign.core.errors import InputError
from codesign.core.runfolder import RunFolder
from codesign.core.space import Fixed
from codesign.study.definition import parse_study
from tests.search.small_search import STUDY, search


def test_ranges_are_drawn_kept_and_go_into_the_training(tmp_path):
    given = yaml.safe_load(STUDY)
    dims = {"learning_rate": {"low": 1.0e-3, "high": 1.0e-1, "log": True}, "batch": [64, 128]}
    given["training"] = given.get("training", {}) | dims
    given["search"] = {"trials": 6, "sampler": "random", "population": 3}
    study = parse_study(yaml.safe_dump(given), "own.yaml")
    search(study, tmp_path)
    configs = [t.read_json("config.json") for t in RunFolder(tmp_path).trials()]
    rates = {c["training.learning_rate"] for c in configs}
    assert len(rates) == 6
    assert {c["training.batch"] for c in configs} <= {64, 128}
    own = study.of(configs[0], "here")
    assert own.training.learning_rate == Fixed(configs[0]["training.learning_rate"])
    assert own.training.budget().batch == configs[0]["training.batch"]
    with pytest.raises(InputError, match=r"training.batch is 7, which is not in the study's"):
        study.of(configs[0] | {"training.batch": 7}, "here")
    seeded = parse_study(yaml.safe_dump(given | {"search": given["search"] | {"seeds": [configs[3]]}}), "own.yaml")
    search(seeded, tmp_path / "again", 1)
    assert RunFolder(tmp_path / "again").trial(0).read_json("config.json") == configs[3]
