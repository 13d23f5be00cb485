"""Tables of the documentation that are written from records are those of the records."""

import json

from tests.benchmarks import item_flows, largest
from tests.families.items.networks import FAMILIES


def test_families_by_flows():
    record = json.loads(item_flows.RECORD.read_text(encoding="utf-8"))
    rows = record["families"]
    assert rows.keys() == {family.name for family in FAMILIES}
    for name, entries in rows.items():
        assert entries.keys() >= item_flows.ENTRIES.keys(), name
        assert not any("differs" in entry for entry in entries.values() if isinstance(entry, dict)), name
    rows["mixer"]["interval 3"] = {"differs": "the integers"}
    assert "**not equal**" in item_flows.table(record)


def test_the_largest_designs():
    record = json.loads(largest.RECORD.read_text(encoding="utf-8"))
    shown = largest.table(record)
    record["rows"][0]["compile"]["mb"] += 1
    assert largest.table(record) != shown
