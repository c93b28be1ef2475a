"""Which VMs get a new SCHED_MESSAGE: those whose reason changed, and not at every change of a figure."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping

from services.scheduler.explain import Reason
from services.scheduler.records import VM

#: While the kind of refusal stays the same, new figures are written at most this often.
FIGURES_EVERY_S = 60.0
MAX_LENGTH = 500

_STAMP = re.compile(r"\A\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}: ")


class MessageBook:
    """Remembers what was written into which VM."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[frozenset[str], float]] = {}

    def due(
        self, vms: Iterable[VM], refusals: Mapping[int, Reason], answers: Mapping[int, str], now: float
    ) -> list[tuple[int, str]]:
        """(VM id, text) for every refused VM whose message should change.

        answers: by VM id, what the front-end said when it refused to deploy that VM. now: monotonic seconds.
        """
        found: list[tuple[int, str]] = []
        waiting: dict[int, tuple[frozenset[str], float]] = {}
        for vm in vms:
            reason = refusals.get(vm.id)
            if reason is None:
                continue
            text = _one_line(reason.text(), answers.get(vm.id, ""))
            kinds, written = self._written.get(vm.id, (frozenset(), float("-inf")))
            if text != _STAMP.sub("", vm.message) and (
                kinds != reason.kinds or now - written >= FIGURES_EVERY_S
            ):
                found.append((vm.id, text))
                kinds, written = reason.kinds, now
            waiting[vm.id] = (kinds, written)
        self._written = waiting
        return found


def attribute(text: str, now: float) -> str:
    """The template text that sets the message, with the time in front as OpenNebula has it. now: epoch."""
    return f'SCHED_MESSAGE="{time.ctime(now)}: {text}"'


def _one_line(text: str, answer: str) -> str:
    if answer:
        text = f"{text}. Last refusal: {answer}"
    # Quotes and backslashes would need escaping in the template, line ends would break the list of VMs.
    plain = text.replace('"', "'").replace("\\", "/")
    return " ".join(plain.split())[:MAX_LENGTH]
