"""Does a plug-in keep its contract? A suite for every kind of it, yours included: pytest classes to derive from.

    import pytest
    from codesign.testing import FlowTests

    class TestMyFlow(FlowTests):
        @pytest.fixture
        def flow(self):
            return MyFlow()

:class:`FlowTests`, :class:`FamilyTests` (:class:`TorchFamilyTests` for networks of torch), :class:`TaskTests`,
:class:`ImporterTests` and :class:`DomainTests` try what types cannot say, and a test that fails says in words what is
broken (:class:`Nonconformity`). What they need is pytest, with the marker ``slow``.

A :class:`Case` is a small design at an edge of what flows meet. :func:`conforms` compiles it, compares every integer of
random, extreme, saturated, single and no events with exact arithmetic, opens the firmware again, looks at the figures,
simulates the RTL where there is some and holds the latency that is claimed against the one that is measured. A flow may
refuse a case with UnsupportedError, unless the case is ``core``.
"""

from codesign.testing.cases import CASES, Case
from codesign.testing.conformance import Conformity, conforms
from codesign.testing.domain_tests import DomainTests
from codesign.testing.family_tests import FamilyTests
from codesign.testing.flow_tests import FlowTests
from codesign.testing.importer_tests import ImporterTests
from codesign.testing.nonconformity import Nonconformity
from codesign.testing.random import random_design
from codesign.testing.task_tests import TaskTests
from codesign.testing.torch_family_tests import TorchFamilyTests

__all__ = (
    "CASES",
    "Case",
    "Conformity",
    "DomainTests",
    "FamilyTests",
    "FlowTests",
    "ImporterTests",
    "Nonconformity",
    "TaskTests",
    "TorchFamilyTests",
    "conforms",
    "random_design",
)
