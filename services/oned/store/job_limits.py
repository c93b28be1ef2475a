"""How many jobs may run at once, and what runs against that: limits in all, of lanes and of hosts in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Lane(NamedTuple):
    """The jobs that share a limit: those of one driver of one subsystem (``vmm`` ``kvm``)."""

    subsystem: str
    driver: str


@dataclass(frozen=True)
class Limits:
    """How many jobs may run at once: in all, in a lane, and on one host in a lane."""

    total: int = 64
    per_lane: Callable[[Lane], int] = field(default=lambda lane: 15)
    per_host: Callable[[Lane], int] = field(default=lambda lane: 8)


def lane_of(operation: str, driver: str) -> Lane:
    """The lane of a job: ``tm.PROLOG`` of driver ssh is in that of tm and ssh."""
    return Lane(operation.partition(".")[0], driver)


class Load:
    """What runs at the moment, against the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes: Counter[Lane] = Counter()
        self._hosts: Counter[tuple[Lane, str]] = Counter()

    def take(self, lane: Lane, host: str) -> None:
        """Count a job that runs."""
        self._lanes[lane] += 1
        if host:
            self._hosts[lane, host] += 1

    def free(self) -> int:
        """How many more may run in all."""
        return self._limits.total - sum(self._lanes.values())

    def has_room(self, lane: Lane, host: str) -> bool:
        """Whether one more may run there, as far as its lane and host are concerned."""
        if self._lanes[lane] >= self._limits.per_lane(lane):
            return False
        return not host or self._hosts[lane, host] < self._limits.per_host(lane)

    def full_lanes(self) -> list[Lane]:
        """The lanes at their limit."""
        return sorted(lane for lane, count in self._lanes.items() if count >= self._limits.per_lane(lane))

    def full_hosts(self) -> list[tuple[Lane, str]]:
        """The hosts that are full in a lane that is not."""
        lanes = set(self.full_lanes())
        return sorted(pair for pair in self._hosts if pair[0] not in lanes and not self.has_room(*pair))
