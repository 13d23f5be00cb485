"""The emulator: a design as C++17 without dependencies, in CMSSW's interface, equal to the firmware bit by bit."""

from codesign.handoff.emulator.library import Emulator, build_emulator, emulator_name, load_emulator, write_emulator

__all__ = ("Emulator", "build_emulator", "emulator_name", "load_emulator", "write_emulator")
