"""What a row of the life-cycle table asks for besides the new state: one function for each word."""

from __future__ import annotations

from services.oned.lifecycle.effects import devices, places, records, snapshots, work
from services.oned.lifecycle.effects.base import EFFECTS, Firing, Placement, now_s
from services.oned.lifecycle.effects.places import capacity_of
from services.oned.lifecycle.effects.work import add_job

__all__ = [
    "EFFECTS",
    "Firing",
    "Placement",
    "add_job",
    "capacity_of",
    "devices",
    "now_s",
    "places",
    "records",
    "snapshots",
    "work",
]
