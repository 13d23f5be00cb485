"""The factorised correction finds the response that was put in, and correctionlib evaluates it to the same numbers."""

import json

import correctionlib
import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.tasks.jets.corrections import write_corrections
from codesign.tasks.jets.factorised import Factorised
from codesign.tasks.jets.published import corrections_of
from tests.tasks.jets.judged_response import judged


@pytest.fixture(scope="module")
def jets():
    rng = np.random.default_rng(5)
    n = 120_000
    reference = np.exp(rng.uniform(np.log(15), np.log(900), n))
    eta = rng.uniform(-4.7, 4.7, n)
    rho, area = rng.uniform(5, 45, n), rng.normal(0.5, 0.03, n)
    true = 0.7 + 0.08 * np.log10(reference) - 0.04 * np.abs(eta)
    pt = reference * true * rng.normal(1, 0.12, n) + 0.8 * rho * area
    return pt, eta, rho, area, reference


@pytest.fixture(scope="module")
def fitted(jets):
    return Factorised.fit(*jets)


def test_closes_what_it_was_fitted_on(jets, fitted):
    pt, eta, rho, area, reference = jets
    before = judged(pt / reference, reference, eta, 0)
    after = judged(pt * fitted(pt, eta, rho, area) / reference, reference, eta, 0)
    assert before["closure_mean"].value > 0.1
    assert after["closure_mean"].value < 0.012
    assert after["closure_worst"].value < 0.05


def test_the_offset_is_the_one_put_in(fitted):
    assert np.array(fitted.slope) == pytest.approx(0.8, abs=0.1)


def test_what_pile_up_adds_is_taken_off(jets, fitted):
    pt, eta, rho, area, reference = jets
    corrected = pt * fitted(pt, eta, rho, area) / reference
    soft = (reference > 30) & (reference < 50)
    low, high = (np.median(corrected[soft & side]) for side in (rho < 15, rho > 35))
    assert abs(high - low) < 0.03
    assert np.median((pt / reference)[soft & (rho > 35)]) - np.median((pt / reference)[soft & (rho < 15)]) > 0.2


def test_correctionlib_gives_the_same_numbers(jets, fitted, tmp_path):
    path = tmp_path / "jec.json"
    write_corrections(path, fitted, "Toy", "a test")
    found = correctionlib.CorrectionSet.from_file(str(path))
    pt, eta, rho, area, _ = jets
    pt, eta = pt.copy(), eta.copy()
    pt[:3], eta[3:7] = [1.0, 9e3, 12.0], [0.0, 1.3, -1.3, 5.0]
    with_json = found.compound["Toy_L1L2L3"].evaluate(pt, eta, rho, area)
    assert with_json == pytest.approx(fitted(pt, eta, rho, area), rel=1e-12)
    assert found["Toy_L1Offset"].evaluate(pt, eta, rho, area) == pytest.approx(
        fitted.offset(pt, eta, rho, area), rel=1e-12
    )
    through = corrections_of(path, "Toy_L1L2L3")(pt, eta, rho, area)
    assert np.array_equal(through, with_json)


def test_errors_of_files_of_corrections(fitted, tmp_path):
    path = tmp_path / "jec.json"
    write_corrections(path, fitted, "Toy", "a test")
    with pytest.raises(InputError, match=r"no correction 'Toy_L1L2'.*Toy_L1L2L3"):
        corrections_of(path, "Toy_L1L2")
    with pytest.raises(InputError, match="no such file"):
        corrections_of(tmp_path / "none.json", "Toy")
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({"schema_version": 2}))
    with pytest.raises(InputError, match="not a file of corrections"):
        corrections_of(broken, "Toy")


def test_too_few_jets_are_refused():
    few = np.linspace(20, 100, 50)
    with pytest.raises(InputError, match="too few jets"):
        Factorised.fit(few, few * 0, few * 0 + 10, few * 0 + 0.5, few)
