"""The hand-off: one folder (or zip) with everything that the firmware's users need, and checksums of all of it."""

from codesign.handoff.bundle import write_bundle
from codesign.handoff.check import check_bundle, read_manifest
from codesign.handoff.manifest import Manifest

__all__ = ("Manifest", "check_bundle", "read_manifest", "write_bundle")
