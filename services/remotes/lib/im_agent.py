"""The monitoring agent of a node: one process that runs the probes and sends what they say.

``im_agent.py start|stop HYPERVISOR HOST_ID HOST_NAME`` with MONITOR_CONFIGURATION on standard input.
``start`` runs all probes once, prints MONITOR_MESSAGES and leaves the agent behind; an agent of the same host
ends before that.
"""

from __future__ import annotations

import base64
import os
import signal
import sys
import syslog
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import im_host
import im_lease
import im_machines
from driver import DriverError, main
from im_context import REMOTES, Context, context
from im_probe import run_folder
from im_send import Sender

# Seconds before the next attempt when a message could not be sent; the last one for all further ones.
BACKOFF_S = (1, 1, 1, 2, 4, 8, 8, 16, 32, 64)
_SNAPSHOT_PERIOD_S = 60
_CHECK_S = 2.0
_RESUME = "resume"


class Watch(NamedTuple):
    """One kind of message: the folder of its probes, its period, whether it goes by TCP."""

    message: str
    folder: str
    period_s: int
    is_stream: bool = False


def watches(at: Context) -> list[Watch]:
    """All messages of a host, in the order of their parts in MONITOR_MESSAGES."""
    period_s = at.periods_s
    return [
        Watch("SYSTEM_HOST", "host/system", period_s["SYSTEM_HOST"]),
        Watch("MONITOR_HOST", "host/monitor", period_s["MONITOR_HOST"]),
        Watch("STATE_VM", "vm/status", period_s["STATE_VM"], is_stream=True),
        Watch("MONITOR_VM", "vm/monitor", period_s["MONITOR_VM"]),
        Watch("MONITOR_VM", "vm/snapshot", _SNAPSHOT_PERIOD_S),
        Watch("BEACON_HOST", "host/beacon", period_s["BEACON_HOST"]),
    ]


def first_messages(at: Context) -> str:
    """MONITOR_MESSAGES: what all probes but the beacon say. Raises DriverError with the first that fails."""
    said: dict[str, str] = {}
    for watch in watches(at):
        if watch.message != "BEACON_HOST":
            said[watch.message] = said.get(watch.message, "") + run_folder(at, watch.folder)
    parts = [
        f"<{message}>{base64.b64encode(text.encode()).decode()}</{message}>" for message, text in said.items()
    ]
    parts.append(f"<TIMESTAMP>{int(time.time())}</TIMESTAMP>")
    return "<MONITOR_MESSAGES>{}</MONITOR_MESSAGES>".format("\n".join(parts))


class Agent:
    """The running agent: a thread for each kind of message, so that a slow probe holds up only its own."""

    def __init__(self, at: Context, sender: Sender) -> None:
        self.at = at
        self.sender = sender
        self._ended = threading.Event()
        self._wake = {watch.folder: threading.Event() for watch in watches(at)}
        self._lost = 0

    def run(self, is_current: Callable[[], bool]) -> None:
        """Work until SIGTERM, or until ``is_current`` says that this agent is not wanted any more."""
        signal.signal(signal.SIGTERM, lambda number, frame: self._ended.set())
        for watch in watches(self.at):
            threading.Thread(target=self._watch, args=(watch,), name=watch.folder, daemon=True).start()
        while not self._ended.wait(_CHECK_S) and is_current():
            pass
        self._ended.set()

    def _watch(self, watch: Watch) -> None:
        failures = 0
        # All but the sign of life has just been said in the answer to the start.
        wait_s = 0.0 if watch.message == "BEACON_HOST" else float(watch.period_s)
        while True:
            self._wake[watch.folder].wait(wait_s)
            self._wake[watch.folder].clear()
            if self._ended.is_set():
                return
            began_s = time.monotonic()
            try:
                self._say(watch)
            except OSError as error:
                if failures == 0:
                    syslog.syslog(syslog.LOG_WARNING, f"{watch.message} could not be sent: {error}")
                self._not_heard(watch)
                wait_s = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
                failures += 1
            else:
                failures = 0
                wait_s = max(0.0, watch.period_s - (time.monotonic() - began_s))

    def _say(self, watch: Watch) -> None:
        is_ok = True
        try:
            text = run_folder(self.at, watch.folder).strip()
        except DriverError as error:
            is_ok, text = False, str(error)
        except Exception as error:  # noqa: BLE001 - one probe's fault must not end the others
            syslog.syslog(syslog.LOG_ERR, f"{watch.folder}: {type(error).__name__}: {error}")
            is_ok, text = False, f"{watch.folder}: {type(error).__name__}: {error}"
        if watch.folder == "vm/status":
            self._machines_answered(is_ok)
        if text:
            send = self.sender.stream if watch.is_stream else self.sender.datagrams
            send(watch.message, is_ok, text)

    def _not_heard(self, watch: Watch) -> None:
        known: im_machines.Known | None = self.at.memory.get("machines.known")
        if watch.folder == "vm/status" and known is not None:
            known.forget_sync()

    def _machines_answered(self, is_ok: bool) -> None:
        """Say soon that the host has a fault when its machines cannot be listed, and soon when it is over."""
        known: im_machines.Known | None = self.at.memory.get("machines.known")
        patience = known.times_missing if known is not None else 0
        lost, self._lost = self._lost, 0 if is_ok else self._lost + 1
        if (is_ok and lost > patience) or (not is_ok and self._lost == patience + 1):
            self._wake["host/system"].set()
        if not is_ok and known is not None:
            known.forget_sync()


def start(at: Context) -> None:
    """Replace the host's agent and print the first messages. Returns in the agent, when it has ended."""
    sender = Sender(_address(at), at.port, at.host_id, at.public_key)
    at.memory["machines.known"] = im_machines.new_known(at)[0]
    with im_lease.held(at.host_id) as lease:
        lease.end_holder()
        lease.clear()
        im_host.begin(at)
        im_machines.begin(at)
        sys.stdout.write(first_messages(at) + "\n")
        sys.stdout.flush()
        child = os.fork()
        lease.write(child or os.getpid())
        if child:
            return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    _serve(at, sender)


def resume(at: Context) -> None:
    """Go on as an agent of newer code, in the process of the older."""
    at.memory["machines.known"] = im_machines.new_known(at)[0]
    _serve(at, Sender(_address(at), at.port, at.host_id, at.public_key))


def stop(arguments: list[str]) -> None:
    """End the host's agent, if there is one."""
    host = arguments[-2] if len(arguments) > 2 else ""
    if not host.isdigit():
        raise DriverError(f"expected HYPERVISOR HOST_ID HOST_NAME, found {' '.join(arguments)[:80]!r}")
    with im_lease.held(int(host)) as lease:
        lease.end_holder()
        lease.clear()


def _serve(at: Context, sender: Sender) -> None:
    code = im_lease.Code(os.path.join(REMOTES, "lib"))
    syslog.openlog(f"one-monitord-{at.host_id}")
    os.chdir("/")
    Agent(at, sender).run(
        lambda: im_lease.is_holder(at.host_id) and not code.is_gone() and not code.is_newer()
    )
    im_lease.end_probes()
    if code.is_newer() and im_lease.is_holder(at.host_id):
        code.start_anew([os.path.realpath(__file__), _RESUME, *at.arguments], at.stdin)
    im_lease.end()


def _address(at: Context) -> str:
    """Where messages go: by default to where this start came from."""
    if at.address != "auto":
        return at.address
    words = os.environ.get("SSH_CLIENT", "").split()
    if not words:
        raise DriverError('NETWORK/MONITOR_ADDRESS is "auto", but SSH_CLIENT is not set')
    return words[0]


def _run(arguments: list[str]) -> None:
    action = arguments[0] if arguments else ""
    if action == "stop":
        stop(arguments[1:])
    elif action in ("start", _RESUME):
        at = context(arguments[1:], sys.stdin.buffer.read())
        (start if action == "start" else resume)(at)
    else:
        raise DriverError(f"expected start or stop, found {action[:40]!r}")


if __name__ == "__main__":
    main(lambda arguments: _run(list(arguments)))
