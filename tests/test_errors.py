import pytest

from codesign.core.errors import CodesignError, InputError, ToolError, UnsupportedError, nearest


def test_nearest_suggests_only_what_is_near():
    assert nearest("acuracy", ["accuracy", "lut"]) == " (did you mean 'accuracy'?)"
    assert nearest("zzz", ["accuracy", "lut"]) == ""
    assert nearest("x", []) == ""


@pytest.mark.parametrize("kind", [InputError, ToolError, UnsupportedError])
def test_every_error_for_the_user_has_one_base(kind):
    assert issubclass(kind, CodesignError)
