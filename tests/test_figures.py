import pytest
from pydantic import ValidationError

from codesign.core.figures import QUANTITIES, Fidelity, Figure, find


def test_fidelities_are_ordered_except_what_was_simulated():
    assert Fidelity.PLACED.refines(Fidelity.COMPILED)
    assert not Fidelity.COMPILED.refines(Fidelity.SYNTHESISED)
    with pytest.raises(TypeError, match="no order"):
        Fidelity.SIMULATED.refines(Fidelity.COMPILED)


def test_a_figure_has_the_unit_of_its_quantity_and_a_source():
    figure = Figure.of("latency_ns", 12.5, Fidelity.COMPILED, "alkaid", "1")
    assert figure.unit == QUANTITIES["latency_ns"][0] == "ns"
    for change in ({"value": float("nan")}, {"value": -1}, {"tool": ""}, {"quantity": "speed"}):
        with pytest.raises(ValidationError):
            Figure.model_validate(figure.model_dump() | change)


def test_find_never_takes_another_fidelity():
    figure = Figure.of("lut", 5, Fidelity.COMPILED, "alkaid", "1")
    assert find([figure], "lut", Fidelity.COMPILED) is figure
    assert find([figure], "lut", Fidelity.SYNTHESISED) is None
