"""What the pages say of the simulated detector beside CMS's."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import hypot

from codesign.physics.detector import level1
from tests.documents.table_rows import record_of, table_of

__all__ = ("DETECTOR_TABLES",)

#: pT in GeV from which on the simulation is meant to be right
_HARD = 50


def _jets() -> str:
    rows = []
    for tier, regions in record_of("detector.json")["dijets"].items():
        for region, bins in regions.items() if isinstance(regions, dict) else ():
            row = [tier.upper() if tier != "offline" else tier, region]
            for some in ([b for b in bins if b["high"] <= _HARD], [b for b in bins if b["low"] >= _HARD]):
                row.append(_between([b["response"] for b in some]))
                row.append(_between([b["resolution"] / b["published"] for b in some if b["published"]]))
            rows.append(row)
    heads = [
        f"{what}, {where} {_HARD} GeV" for where in ("below", "above") for what in ("response", "over CMS' resolution")
    ]
    return table_of(["jets", "region", *heads], rows)


def _between(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def _seeds() -> str:
    found, rows = record_of("l1_rates.json"), []
    then = found["chosen by published rates"]["values"]
    now = json.loads(json.dumps(level1.CHOSEN_BY_RATES))
    changed = [part for part, value in now.items() if then.get(part) != value]
    for name, row in found["seeds"].items():
        known = row["published"]
        ratio = f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})" if "ratio" in row else "none fires"
        rates = [f"{of['khz']:.3g} ± {of['error']:.2g}" for of in (known, row)]
        said = row.get("reading", "not told")
        if any(part in name for part in changed):
            said += ", before the Level 1 of today"
        rows.append([f"`{name}`", *rates, ratio, said])
    return table_of(["seed", "CMS, kHz", "here, kHz", "ratio", "the ratio is"], rows)


def _density() -> str:
    rows = []
    for row in record_of("detector.json")["top_pairs"]["density"]:
        ratio = row["density"] / row["cms_density"]
        error = ratio * hypot(row["density_error"] / row["density"], row["cms_density_error"] / row["cms_density"])
        rows.append(
            [
                f"{row['collisions']:.1f}, {row['cms_collisions']:.1f}",
                f"{row['density']:.1f} ± {row['density_error']:.1f}",
                f"{row['cms_density']:.1f} ± {row['cms_density_error']:.1f}",
                f"{ratio:.2f} ± {error:.2f}",
            ]
        )
    return table_of(["collisions here, of CMS", "density here, GeV", "of CMS, GeV", "ratio"], rows)


DETECTOR_TABLES: dict[str, Callable[[], str]] = {
    "jets of the simulation": _jets,
    "density of pile-up": _density,
    "rates of Level-1 seeds": _seeds,
}
