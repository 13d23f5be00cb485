"""Text from a sample in the README of a bundle."""

from __future__ import annotations

import pytest

from codesign.core.quoting import markdown


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("tau_21", "tau_21"),
        ("_private_", r"\_private\_"),
        ("a|b", r"a\|b"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("&lt;", "&amp;lt;"),
        ("[x](y) `z` *w*", r"\[x\](y) \`z\` \*w\*"),
        ("two\nlines\n| and | cells", r"two lines \| and \| cells"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_text_is_shown_as_it_is_written(given, written):
    assert markdown(given) == written
