"""What has arrived and waits to be applied: bounded, and of each host in order.

Whoever reaches the port can send anything, so what is no message, too much, too old or about a host that does
not exist is dropped here, before any work is done for it, with a line in the log once in a while.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

from services.oned.monitor.messages import FRONT_END, Message, MessageError, parse

_MESSAGES_MAX = 20_000
_BYTES_MAX = 64 * 1024 * 1024
_PER_HOST_MAX = 200
_SAY_AGAIN_S = 60.0
# What arrives so much later than its successor has not been under way: the node's clock was set back.
_LATE_S = 300
# A time that far ahead is no measure for what comes next.
_AHEAD_S = 3600
_IS_LATE = "a newer one came before it"
_log = logging.getLogger("MON")


class Complaints:
    """Log lines about what was dropped: one for each reason and minute, with how many there were."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_s: dict[str, float] = {}
        self._since: Counter[str] = Counter()
        self.total: Counter[str] = Counter()

    def add(self, reason: str, sender: str) -> None:
        """Count one, and say so when nothing was said of this reason for a while."""
        self.total[reason] += 1
        self._since[reason] += 1
        now_s = self._clock()
        if now_s < self._next_s.get(reason, 0.0):
            return
        self._next_s[reason] = now_s + _SAY_AGAIN_S
        _log.warning("%d message(s) dropped, the last from %s: %s", self._since.pop(reason), sender, reason)


class Intake:
    """The queue between the sockets and the database; for one thread that offers and one that takes.

    What is newest is what was accepted last: only a message that could be read says so, for with a key pair
    anybody can write a header.
    """

    def __init__(self, complaints: Complaints) -> None:
        self._complaints = complaints
        self._lock = threading.Lock()
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._of_host: Counter[int] = Counter()
        self._newest: dict[tuple[int, str], int] = {}
        self._hosts: frozenset[int] = frozenset()
        self.has_strangers = False  # a message named a host that is not known, or not yet

    def know(self, hosts: Iterable[int]) -> None:
        """From now on, take messages of these hosts."""
        known = frozenset(hosts)
        with self._lock:
            self._hosts = known
            self.has_strangers = False
            self._newest = {place: epoch for place, epoch in self._newest.items() if place[0] in known}

    def offer(self, data: bytes, sender: str) -> bool:
        """Take a message in; False when it was dropped."""
        try:
            message = parse(data, time.time())
        except MessageError as error:
            self._complaints.add(str(error), sender)
            return False
        with self._lock:
            reason = self._why_not(message)
            if not reason:
                self._waiting.append(message)
                self._bytes += len(message.payload)
                self._of_host[message.host_id] += 1
        if reason:
            self._complaints.add(reason, sender)
        return not reason

    def _why_not(self, message: Message) -> str:
        is_ours = message.host_id == FRONT_END
        if message.host_id not in self._hosts and not is_ours:
            self.has_strangers = True
            return "its host does not exist, or is offline"
        if len(self._waiting) >= _MESSAGES_MAX or self._bytes + len(message.payload) > _BYTES_MAX:
            return "too many messages are waiting already"
        if self._of_host[message.host_id] >= _PER_HOST_MAX:
            return "too many messages of its host are waiting already"
        return self._why_late(message)

    def _why_late(self, message: Message) -> str:
        # Those of the front-end are about one datastore each.
        is_ours = message.host_id == FRONT_END
        newest = 0 if is_ours else self._newest.get((message.host_id, message.kind), 0)
        return _IS_LATE if newest - _LATE_S <= message.epoch_s < newest else ""

    def accept(self, message: Message) -> bool:
        """Note that a message which was taken could be read; False when a newer one was, meanwhile."""
        with self._lock:
            reason = self._why_late(message)
            if not reason and message.epoch_s < message.received_s + _AHEAD_S:
                self._newest[message.host_id, message.kind] = message.epoch_s
        if reason:
            self._complaints.add(reason, f"host {message.host_id}")
        return not reason

    def refuse(self, message: Message, reason: str) -> None:
        """Count a message that was taken and could not be read."""
        self._complaints.add(reason, f"host {message.host_id}")

    def take(self, most: int) -> list[Message]:
        """The oldest messages, at most so many."""
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            for message in taken:
                self._bytes -= len(message.payload)
                self._of_host[message.host_id] -= 1
                if not self._of_host[message.host_id]:
                    del self._of_host[message.host_id]
        return taken

    def __len__(self) -> int:
        return len(self._waiting)
