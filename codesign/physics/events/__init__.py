"""Events of real experiments and of our own: one reader for every kind of file, and the writer of ours."""

from codesign.physics.events.container import BadEvent
from codesign.physics.events.reading import EventFile, Located, open_events, read_events, read_located
from codesign.physics.events.writing import write_events

__all__ = ("BadEvent", "EventFile", "Located", "open_events", "read_events", "read_located", "write_events")
