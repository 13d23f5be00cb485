"""The rooms of the house in the order of imports."""

from __future__ import annotations

#: a room knows those before it
ROOMS = (
    "core", "statistics", "graph", "physics", "data", "tasks", "training", "families", "importing", "rtl", "tools",
    "verify", "flows", "study", "calibration", "pipeline", "search", "report", "handoff", "testing", "cli",
)  # fmt: skip
