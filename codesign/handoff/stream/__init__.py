"""A bundle at the pace of the machine: rates, prescales, dead time, drift, and an alarm where emulator and firmware
differ."""

from codesign.handoff.stream.stream_job import StreamSettings, stream_bundle
from codesign.handoff.stream.stream_record import StreamRecord

__all__ = ("StreamRecord", "StreamSettings", "stream_bundle")
