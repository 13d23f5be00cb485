"""Does a plug-in keep its contract? A suite for every kind of it, yours included: pytest classes to derive from.

    import pytest
    from codesign.testing import FlowTests

    class TestMyFlow(FlowTests):
        @pytest.fixture
        def flow(self):
            return MyFlow()

:class:`FlowTests`, :class:`FamilyTests`, :class:`TaskTests` and :class:`DomainTests` try what types cannot say, and a
test that fails says in words what is broken (:class:`Nonconformity`). They need pytest, with the marker ``slow``.

A :class:`Case` is a small design at an edge of what flows meet. :func:`conforms` compiles it, compares every integer of
random, extreme, saturated, single and no events with exact arithmetic, opens the firmware again, looks at the figures,
simulates the RTL where there is some and holds the latency that is claimed against the one that is measured. A flow may
refuse a case with UnsupportedError, unless the case is ``core``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from codesign.testing.cases import CASES, Case
from codesign.testing.conformance import Outcome, conforms
from codesign.testing.nonconformity import Nonconformity
from codesign.testing.random import random_design

if TYPE_CHECKING:
    from codesign.testing.domains import DomainTests
    from codesign.testing.families import FamilyTests
    from codesign.testing.flows import FlowTests
    from codesign.testing.tasks import TaskTests

__all__ = (
    "CASES",
    "Case",
    "DomainTests",
    "FamilyTests",
    "FlowTests",
    "Nonconformity",
    "Outcome",
    "TaskTests",
    "conforms",
    "random_design",
)

#: what needs pytest is imported when it is asked for: the rest is of use without
_SUITES = {
    "DomainTests": "codesign.testing.domains",
    "FamilyTests": "codesign.testing.families",
    "FlowTests": "codesign.testing.flows",
    "TaskTests": "codesign.testing.tasks",
}


def __getattr__(name: str) -> type:
    if name not in _SUITES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    suite: type = vars(import_module(_SUITES[name]))[name]
    return suite
