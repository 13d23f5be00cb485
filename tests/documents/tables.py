"""Tables of a page that are made from a record, whole.

::

    <!--| trees in hardware -->
    ...
    <!--|/-->
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from tests.documents import constituents_tables, hardware_tables, search_tables
from tests.documents.anomaly_tables import ANOMALY_TABLES
from tests.documents.detector_tables import DETECTOR_TABLES

__all__ = ("TABLE", "TABLES", "fill_tables")

TABLE = re.compile(r"<!--\| (?P<name>[^>/]+?) -->\n.*?<!--\|/-->", re.DOTALL)


def fill_tables(text: str) -> str:
    """The page with each table as its record has it; ValueError, in one line, for a table that nobody makes."""
    return TABLE.sub(lambda found: f"<!--| {found['name']} -->\n{_made(found['name'])}\n<!--|/-->", text)


@cache
def _made(name: str) -> str:
    if name not in TABLES:
        raise ValueError(f"there is no table '{name}': expected one of {', '.join(TABLES)}")
    return TABLES[name]()


TABLES: dict[str, Callable[[], str]] = {
    "choices of learned precision": search_tables.choices_of_learned_precision,
    "constituents judged": constituents_tables.constituents_judged,
    "constituents and trees": constituents_tables.constituents_and_trees,
    "families of jet-tagger-all": search_tables.families_of("jet-tagger-all"),
    "families of l1-anomaly-all": search_tables.families_of("l1-anomaly-all"),
    "learned ranges": search_tables.learned_ranges,
    "refused draws": search_tables.refused_draws,
    "trees in hardware": hardware_tables.trees_in_hardware,
    "imported and traced by alkaid itself": hardware_tables.imported_and_traced,
    "the front through the flows": hardware_tables.front_through_flows,
    "studies that changed since": search_tables.studies_changed,
    "families on items by flows": hardware_tables.families_by_flows,
    "the largest designs": hardware_tables.largest_designs,
    "fits by kind of circuit": hardware_tables.fits,
    "what wrappers add": hardware_tables.what_wrappers_add,
    **ANOMALY_TABLES,
    **DETECTOR_TABLES,
    "folded and unrolled": hardware_tables.folded_and_unrolled,
    "designs on constituents beside HGQ2": hardware_tables.constituents_designs,
    "LUTs on constituents beside HGQ2": hardware_tables.constituents_ratios,
    "what prices of items gain": search_tables.item_prices,
    "studies on items": search_tables.studies_on_items,
}
