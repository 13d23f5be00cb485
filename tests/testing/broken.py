"""What a test of a suite says of a plug-in that breaks a promise."""

import inspect

import pytest


def said(suite, test, **fixtures):
    """The words of the failure of ``test``, which is given those of the fixtures that it takes."""
    method = getattr(suite, f"test_{test}")
    with pytest.raises(AssertionError) as caught:
        method(suite(), **{name: fixtures[name] for name in list(inspect.signature(method).parameters)[1:]})
    return str(caught.value)
