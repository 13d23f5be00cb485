"""The fits of a calibration, what they say of a figure, and the run that makes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.calibration import measure as measuring
from codesign.calibration.fit import judge
from codesign.calibration.plan import plan
from codesign.calibration.table import fits, table, text
from codesign.core.availability import Availability
from codesign.core.errors import InputError, ToolError
from codesign.core.figures import Fidelity, Figure
from codesign.flows.expected import FITS, expect, with_expected

REFERENCE = Path(__file__).resolve().parents[2] / "reports" / "reference" / "calibration.json"


def test_a_power_law_is_found_and_its_scatter_is_the_band() -> None:
    rng = np.random.default_rng(0)
    x = np.exp(rng.uniform(3, 8, 400))
    y = 2.5 * x**0.9 * np.exp(rng.normal(0, 0.1, 400))
    judged = judge(x, y, same_unit=True)
    assert judged.slope == pytest.approx(0.9, abs=0.01)
    assert np.exp(judged.intercept) == pytest.approx(2.5, rel=0.05)
    assert judged.band == pytest.approx(0.1, rel=0.15)
    assert judged.spearman > 0.99
    assert judged.error_as_it_is is not None
    assert judged.error_as_it_is > 3 * judged.error_fitted


def test_every_network_is_judged_by_a_fit_without_it() -> None:
    x = np.exp(np.linspace(1, 3, 12))
    y = x.copy()
    y[-1] *= 4  # an outlier at the end pulls the line towards itself, and a fit with it would hide half of that
    assert judge(x, y, same_unit=True).worst > np.log(4)


@pytest.mark.parametrize(("x", "y"), [(np.ones(3), np.ones(3)), (np.zeros(20), np.ones(20))])
def test_too_few_networks_or_figures_of_zero_are_refused(x: np.ndarray, y: np.ndarray) -> None:
    with pytest.raises(InputError, match="10 networks or more with figures above 0"):
        judge(x, y, same_unit=True)


def test_the_shipped_fits_are_those_of_the_reference_table() -> None:
    made = json.loads(REFERENCE.read_text(encoding="utf-8"))
    assert len(made["networks"]) >= 60
    assert fits(made) == json.loads(FITS.read_text(encoding="utf-8"))


def test_the_reference_tables_fits_follow_from_its_networks() -> None:
    made = json.loads(REFERENCE.read_text(encoding="utf-8"))
    shipped = next(p for p in made["predictors"] if p["family"] == "ecp5" and p["predictor"]["quantity"] == "lut")
    pairs = np.array(
        [
            (m["compiled-ecp5"]["lut"], m["placed-ecp5"]["lut"])
            for m in (row["measured"] for row in made["networks"])
            if "placed-ecp5" in m
        ]
    )
    again = judge(pairs[:, 0], pairs[:, 1], same_unit=True)
    assert (again.slope, again.intercept, again.band) == (shipped["slope"], shipped["intercept"], shipped["band"])


HIGHEST = next(f["high"] for f in json.loads(FITS.read_text()) if (f["family"], f["quantity"]) == ("ecp5", "lut"))


@given(st.floats(min_value=100, max_value=0.99 * HIGHEST / 1.2))
def test_an_expectation_lies_in_its_band_and_grows(value: float) -> None:
    found, more = expect("lut", value, "ecp5"), expect("lut", 1.2 * value, "ecp5")
    assert found is not None
    assert more is not None
    assert found.low < found.value < found.high
    assert more.value > found.value


def test_nothing_is_extrapolated() -> None:
    assert expect("lut", 1e6, "ecp5") is None
    assert expect("lut", 1000, "xc7") is None
    assert expect("latency_cycles", 10, "ecp5") is None


def test_only_a_compiled_figure_gets_an_expectation() -> None:
    figures = [Figure.of("lut", 1000, f, "tool", "1") for f in (Fidelity.COMPILED, Fidelity.SYNTHESISED)]
    compiled, synthesised = with_expected(figures, "xcup")
    assert compiled.expected is not None
    assert compiled.expected.fidelity == Fidelity.SYNTHESISED
    assert synthesised.expected is None
    assert "expected" not in synthesised.model_dump(mode="json")
    assert Figure.model_validate_json(compiled.model_dump_json()) == compiled


def test_a_run_goes_on_where_it_was_and_records_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = min(
        plan(), key=lambda m: m.config.model_dump().get("sparsity") is None
    )  # of the family that trains in no time
    asked: list[str] = []

    def figures(fidelity: Fidelity) -> object:
        def run(*_: object) -> list[Figure]:
            asked.append(fidelity)
            if fidelity == Fidelity.PLACED and len(asked) < 9:
                raise ToolError("nextpnr: does not\nfit")
            return [Figure.of("lut", 10, fidelity, "tool", "1")]

        return run

    monkeypatch.setattr(measuring, "availability", lambda: Availability(False, "not set up"))
    for name, fidelity in (("_compile", "compiled"), ("_synthesise", "synthesised"), ("_place", "placed")):
        monkeypatch.setattr(measuring, name, figures(Fidelity(fidelity)))
    monkeypatch.setattr(measuring, "_design", lambda one, folder, record: record.setdefault("ebops", 1.0))
    first = measuring.measure(one, tmp_path / one.name)
    assert first["measured"]["placed-ecp5"]["failed"] == "nextpnr: does not fit"
    assert len(asked) == 8
    assert measuring.measure(one, tmp_path / one.name) == first
    assert len(asked) == 8  # nothing was measured twice
    made = table(tmp_path, plan())
    (row,) = made["networks"]
    assert row["measured"]["compiled-xcup"] == {"lut": 10}
    assert set(row["failed"]) == {"placed-ecp5", "placed-nexus"}
    assert made["predictors"] == []  # one network is no calibration
    assert json.loads(text(made)) == made


@pytest.mark.slow
def test_finn_has_columns_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve networks are synthesised and simulated too; each predictor is compared with its own kind of truth."""
    monkeypatch.setattr(measuring, "availability", lambda: Availability(True, "here"))
    monkeypatch.setattr(
        measuring, "_design", lambda one, folder, record: record.setdefault("ebops", 100.0 + one.number)
    )
    for name in ("_compile", "_synthesise", "_place"):
        monkeypatch.setattr(measuring, name, lambda *_: [])
    for name, fidelity, factor in (
        ("_compile_by_finn", Fidelity.COMPILED, 1),
        ("_synthesise_by_finn", Fidelity.SYNTHESISED, 2),
        ("_simulate_by_finn", Fidelity.SIMULATED, 3),
    ):

        def run(target: object, folder: Path, design: object, fidelity: Fidelity = fidelity, factor: int = factor):  # type: ignore[no-untyped-def]
            value = factor * float(1 + int(folder.parent.name[-3:]))
            return [Figure.of(q, value, fidelity, "tool", "1") for q in ("lut", "latency_cycles")]  # type: ignore[arg-type]

        monkeypatch.setattr(measuring, name, run)
    for one in plan()[:14]:
        measuring.measure(one, tmp_path / one.name)
    made = table(tmp_path, plan())
    assert sum("synthesised-finn" in row["measured"] for row in made["networks"]) == 12
    found = {(p["predictor"]["stage"], p["quantity"], p["fidelity"]): p for p in made["predictors"]}
    assert set(found) == {
        ("analytic", "lut", "synthesised"),
        ("compiled", "lut", "synthesised"),
        ("compiled", "latency_cycles", "simulated"),
    }
    assert found["compiled", "lut", "synthesised"]["error_as_it_is"] == pytest.approx(0.5)
    assert found["compiled", "latency_cycles", "simulated"]["spearman"] == pytest.approx(1)
    assert fits(made) == []  # the flow gives no figure of LUTs, so that nothing is expected of it


def test_the_plan_is_always_the_same_and_spreads_over_sizes() -> None:
    assert plan() == plan()
    assert len({m.name for m in plan()}) == len(plan()) >= 60
    first = [m.number for m in plan()[:24]]
    assert min(first) < 20 < 40 < max(first)  # a run that stops early still covers small and large networks
