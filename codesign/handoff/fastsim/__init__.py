"""What generator-level work needs of a trigger: its efficiency and response as tables, and how well these close."""

from codesign.handoff.fastsim.write import write_fast_simulation

__all__ = ("write_fast_simulation",)
