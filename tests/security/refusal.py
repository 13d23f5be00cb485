"""What is asked of every refusal: it comes soon, on one line, and names what was given."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest

from codesign.core.errors import CodesignError


@contextmanager
def refused(match: str, *named: object):
    """One line, soon, that says ``match`` and names what is ``named``."""
    began = time.process_time()
    with pytest.raises(CodesignError, match=match) as caught:
        yield
    assert time.process_time() - began < 2
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2000
    for name in named:
        assert str(name) in str(caught.value)
