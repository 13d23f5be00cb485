"""Tables of networks on the constituents of jets beside trees."""

from __future__ import annotations

from tests.documents.table_rows import record_of, table_of

#: rows and columns of the record of constituents, and what the page calls them
_JUDGED = {
    "JEDI-linear, constituents with their number, seed 1": "with the number of constituents",
    "JEDI-linear, constituents alone, seed 1": "constituents alone",
    "boosted trees, 32 hardest": "boosted trees, 16 features of the 32 hardest",
    "boosted trees, all constituents": "boosted trees, 16 features of all constituents",
}
_SAMPLES = {
    "test": "test split",
    "generated anew": "jets of another seed of the card",
    "published": "published jets",
}


def constituents_judged() -> str:
    record = record_of("constituents.json")
    rows = [
        [said, *("{accuracy:.3f} ± {error:.3f}".format(**of[s]) if s in of else "not judged" for s in _SAMPLES)]
        for name, said in _JUDGED.items()
        for of in [record["rows"][name]]
    ]
    return table_of(["", *_SAMPLES.values()], rows)


def constituents_and_trees() -> str:
    rows = []
    for name, said in _JUDGED.items():
        if beside := record_of("constituents.json")["rows"][name].get("less the trees"):
            both = (beside[trees] for trees in ("32 hardest", "all constituents"))
            rows.append([said, *(f"{of['difference']:+.3f} ± {of['error']:.3f}" for of in both)])
    return table_of(["less the trees on", "the 32 hardest", "all constituents"], rows)
