"""The emulator as CMSSW loads one: a design behind the C++ types that its producer passes and its reader expects."""

from codesign.handoff.cmssw.library_folder import write_cmssw
from codesign.handoff.cmssw.profile import Profile, load_profile

__all__ = ("Profile", "load_profile", "write_cmssw")
