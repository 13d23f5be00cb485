"""The damages that the tests do to files."""

from __future__ import annotations

import random

from tests.security.damage.damage import Damage

#: damages of any file, whatever it holds
WHOLE = ("missing", "a folder", "empty", "not UTF-8", "cut off", "garbage", "other bytes inside")


def chosen(every: list[Damage], few: int) -> list[Damage]:
    """Some damages, always the same: the first half of the whole file, the others of fields where there are any."""
    whole = [d for d in every if d.how in WHOLE]
    of_fields = [d for d in every if d.how not in WHOLE] or whole
    draw = random.Random(every[0].name)
    first = draw.sample(whole, few // 2)
    return first + draw.sample([d for d in of_fields if d not in first], few - few // 2)


def of_run(name: str, number: int) -> str:
    return name.replace("/T/", f"/{number:04d}/")
