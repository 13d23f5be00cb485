"""The suite that every flow passes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from codesign.core.targets import load_target
from codesign.flows.base import Flow
from codesign.testing.cases import CASES, Case
from codesign.testing.conformance import conforms
from codesign.testing.drawing import Recorded, lowest
from codesign.testing.nonconformity import must

if TYPE_CHECKING:
    import pytest

__all__ = ("FlowTests",)

_USUAL = frozenset({"single", "dead-neurons", "saturating", "matrix-only", "family-mlp", "signed-5", "weights-7"})


class FlowTests:
    """Derive from it, and give the fixture ``flow``: your flow. The rest has defaults.

    Attributes
    ----------
    usual: cases that are tried in every run; the others are marked slow. None: all are tried in every run.
    simulated: cases whose RTL is simulated in every run; that of all others is simulated in slow tests.
    target: the name or file of what it compiles for.
    settings: it is tried with; None: its own.
    refused: cases that the flow refuses beyond those that have no exact hardware; a core case cannot be among them.
    """

    usual: ClassVar[frozenset[str] | None] = _USUAL
    simulated: ClassVar[frozenset[str]] = frozenset()
    target: ClassVar[str] = "vu13p-360"
    settings: ClassVar[BaseModel | None] = None
    refused: ClassVar[frozenset[str]] = frozenset()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Each case one test; those that are not for every run are slow."""
        import pytest

        if "case" not in metafunc.fixturenames:
            return
        every = metafunc.function.__name__ == "test_the_firmware_is_exact_when_it_is_simulated"
        quick = self.simulated if every else self.usual
        slow = [pytest.mark.slow]
        given = [pytest.param(c, id=c.name, marks=[] if quick is None or c.name in quick else slow) for c in CASES]
        metafunc.parametrize("case", given)

    def test_what_it_makes_is_exact(self, flow: Flow, case: Case, tmp_path: Path) -> None:
        """A case is compiled, predicted, opened again, and its figures looked at; or refused, where that is allowed."""
        self._try(flow, case, tmp_path, simulate=False)

    def test_the_firmware_is_exact_when_it_is_simulated(self, flow: Flow, case: Case, tmp_path: Path) -> None:
        """The same, with the RTL simulated, or what the flow has in its place."""
        self._try(flow, case, tmp_path, simulate=True)

    def test_the_same_design_gives_the_same_sources(self, flow: Flow, tmp_path: Path) -> None:
        """Byte for byte, in any folder: firmware from elsewhere is made again and compared."""
        design = next(c for c in CASES if c.name == "dead-neurons").make()
        target = load_target(self.target)
        first = flow.compile(design, target, tmp_path / "one", self.settings)
        if first.rtl is None:
            return
        flow.compile(design, target, tmp_path / "another" / "place", self.settings)
        for source in (*first.rtl.sources, *first.rtl.data):
            one, other = ((tmp_path / place / source).read_bytes() for place in ("one", "another/place"))
            must(one == other, f"{flow.name}: {source} is not the same when it is made in another folder")

    def test_settings_are_drawn_from_its_space(self, flow: Flow) -> None:
        """Of the space's defaults the first is drawn; settings can be made without arguments."""
        must(isinstance(flow.settings(), flow.settings), f"{flow.name}: its settings need arguments")
        drawn = flow.suggest(flow.space(), Recorded(lowest, flow.name))
        must(isinstance(drawn, flow.settings), f"{flow.name}: draws a {type(drawn).__name__}, not its settings")

    def test_it_says_whether_it_can_run(self, flow: Flow) -> None:
        """With a reason of one line."""
        said = flow.available()
        must("\n" not in said.reason, f"{flow.name}: its reason is of several lines")
        must(said.available or bool(said.reason), f"{flow.name}: cannot run, and does not say why")
        must(len(set(flow.quantities)) == len(flow.quantities), f"{flow.name}: names a quantity twice")

    def _try(self, flow: Flow, case: Case, folder: Path, simulate: bool) -> None:
        made = conforms(flow, case, load_target(self.target), folder, self.settings, simulate)
        may = not case.exact or case.name in self.refused
        must(made.refused is None or may, f"{flow.name}, {case}: is not among what it refuses: {made.refused}")
        must(made.refused is not None or not may, f"{flow.name}, {case}: is among what it refuses, but was compiled")
