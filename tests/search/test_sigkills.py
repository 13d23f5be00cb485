"""Processes of a search, killed at every stage: the whole of it is ``python -m tests.search.sigkills``."""

from collections import Counter
from itertools import pairwise

import pytest

from tests.search.sigkills import SHORT, compare, plan


def test_the_plan_has_every_stage_and_no_candidate_to_blame():
    stages = plan(60)
    assert len(stages) == 60
    assert len(set(stages)) == 17
    for before, stage in pairwise(stages):  # at its start only after another kill of it
        if stage in ("driver interpreter", "driver start-up", "driver recovery", "driver sample"):
            assert before.startswith("driver ")


@pytest.mark.slow
def test_kills_at_six_stages_cost_nothing(tmp_path):
    found = compare(tmp_path, list(SHORT), 16, 2, "random")
    assert found["stages"] == Counter(SHORT)
    assert not found["lost"]
    assert not found["doubled"]
    assert not found["failed"]
    assert found["trials equal"]
    assert found["front equal"]
