"""A fast, parametric simulation of trigger events: Pythia's collisions, pile-up, and three tiers of reconstruction.

From the same event come what the L1 trigger, the high-level trigger and the offline reconstruction make of it, as ROOT
files in NanoAOD's names. It is no replacement for a full simulation: towers and tracks are parametrised, one bunch
crossing stands alone, and the scale and resolution of jets are set to what CMS has published (``validate`` compares).
"""

from codesign.physics.detector.event_card import EventCard, load_event_card
from codesign.physics.detector.simulate import simulated_events

__all__ = ("EventCard", "load_event_card", "simulated_events")
