"""What an agent says when it is started: MONITOR_MESSAGES, the first message of each kind at once.

It is applied with the result of the start, so that a new host is monitored within seconds.
"""

from __future__ import annotations

import base64
import binascii
import time

from services.common import xmldoc
from services.oned.monitor import conf as monitor_conf
from services.oned.monitor.batch import Batch, Memory, Report, in_order, read
from services.oned.monitor.host import apply_failure
from services.oned.monitor.messages import KINDS
from services.oned.store import Tx

_ROOT = "MONITOR_MESSAGES"


class AnswerError(ValueError):
    """An answer that cannot be read; the message says what was expected."""


def reports(host_id: int, output: str, asked_s: float) -> list[Report]:
    """The reports of an answer. asked_s: epoch second before it was given. Raises AnswerError."""
    if not output.strip():
        return []
    try:
        root = xmldoc.parse(output.strip(), "answer")
    except xmldoc.XmlError as error:
        raise AnswerError(str(error)) from None
    if root.tag != _ROOT:
        raise AnswerError(f"expected {_ROOT}, found {str(root.tag)[:40]}")
    found = []
    for kind in KINDS:
        packed = root.findtext(kind)
        if packed is None:
            continue
        try:
            text = base64.b64decode("".join(packed.split()), validate=True).decode("utf-8", "replace")
        except binascii.Error:
            raise AnswerError(f"{kind} is no base64") from None
        found.append(read(kind, True, host_id, text, asked_s))
    return list(in_order(found))


def apply(tx: Tx, host_id: int, ok: bool, output: str, message: str) -> None:
    """Apply the end of a start: what the agent says, or why there is none."""
    now_s = time.time()
    if not ok:
        apply_failure(tx, host_id, message, int(now_s))
        return
    try:
        found = reports(host_id, output, now_s)
    except AnswerError as error:
        apply_failure(tx, host_id, f"the agent's answer cannot be used: {error}", int(now_s))
        return
    Batch(tx, monitor_conf.load(), Memory()).apply(found)
