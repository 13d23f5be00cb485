"""Tables of the documentation that are written from records are those of the records."""

import json

from codesign.calibration import repeated_fits
from codesign.flows.expected import REPEATED_FITS
from tests.benchmarks import item_flows, largest
from tests.families.items.networks import FAMILIES
from tests.trees import ROOT


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_families_by_flows():
    record = json.loads(item_flows.RECORD.read_text(encoding="utf-8"))
    assert item_flows.table(record) in page("items.md")
    rows = record["families"]
    assert rows.keys() == {family.name for family in FAMILIES}
    for name, entries in rows.items():
        assert entries.keys() >= item_flows.ENTRIES.keys(), name
        assert not any("differs" in entry for entry in entries.values() if isinstance(entry, dict)), name
    rows["mixer"]["interval 3"] = {"differs": "the integers"}
    assert "**not equal**" in item_flows.table(record)


def test_the_largest_designs():
    record = json.loads(largest.RECORD.read_text(encoding="utf-8"))
    assert largest.table(record) in page("folding.md")
    record["rows"][0]["compile"]["mb"] += 1
    assert largest.table(record) not in page("folding.md")


def test_fits_of_each_kind():
    fits = json.loads(REPEATED_FITS.read_text(encoding="utf-8"))
    assert repeated_fits.table(fits) in page("folding.md")
