"""Events of real experiments and of our own: one reader for every kind of file, and the writer of ours."""

from codesign.physics.events.reading import EventFile, open_events, read_events
from codesign.physics.events.writing import write_events

__all__ = ("EventFile", "open_events", "read_events", "write_events")
