"""A response as the task judges it."""

from __future__ import annotations

from codesign.statistics.comparison import summary
from codesign.statistics.replicas import Replicas
from codesign.tasks.jets.response import BinnedResponse


def judged(response, pt, eta, number=None, name="test"):
    bins = BinnedResponse.of(response, pt, eta)
    measured = Replicas.of(name, len(pt), number=number).collect(lambda rows: bins.measure("jets", rows))
    return summary(bins.metrics("jets", measured))
