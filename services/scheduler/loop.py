"""The scheduler's main loop: wait until something happens, read, plan, hand the plan to the threads."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import select
import time
from collections.abc import Callable
from pathlib import Path

from services.common import xmldoc
from services.common.oca import Client, EndpointError, OneError
from services.scheduler import rights
from services.scheduler import snapshot as reading
from services.scheduler.books import Books, count_under_way
from services.scheduler.calls import Calls
from services.scheduler.config import SchedConf
from services.scheduler.messages import MessageBook
from services.scheduler.plan import Avoid, Plan, plan
from services.scheduler.records import VM, Snapshot

_log = logging.getLogger("SCHED")
#: Events come in bursts; a cycle waits this long for the rest of one.
DEBOUNCE_S = 0.02
#: The health check looks at a file that must be younger than some of these.
ALIVE_EVERY_S = 5.0
_RETRY_S = 2.0


class Bell:
    """Rings from any thread and from signal handlers, heard by one waiting thread."""

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)

    def ring(self) -> None:
        """Wake the waiting thread, or the next that waits."""
        with contextlib.suppress(BlockingIOError):  # the pipe is full of rings already
            os.write(self._write_fd, b"!")

    def wait(self, timeout_s: float) -> bool:
        """Whether it rang within that time."""
        ready, _, _ = select.select([self._read_fd], [], [], max(0.0, timeout_s))
        if ready:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._read_fd, 4096):
                    pass
        return bool(ready)


class Loop:
    """Runs cycles until stop() is called.

    connect makes a client for the calling thread; alive is the file whose age shows that the loop turns;
    reload gives the settings anew, or None when they cannot be used (it has then said why).
    """

    def __init__(
        self,
        conf: SchedConf,
        connect: Callable[[], Client],
        alive: Path,
        reload: Callable[[], SchedConf | None],
    ) -> None:
        self._conf = conf
        self._client = connect()
        self._alive = alive
        self._reload = reload
        self._bell = Bell()
        self._books = Books()
        self._messages = MessageBook()
        self._calls = Calls(connect, conf.dispatch_threads, self._books, self._bell.ring)
        self._seeds = random.SystemRandom()
        self._is_stopping = False
        self._is_reload_due = False
        self._trouble = ""
        self._zone_id: int | None = None

    def changed(self) -> None:
        """Something happened that may need a cycle."""
        self._bell.ring()

    def failed(self, vm_id: int, host_id: int) -> None:
        """A VM could not be started on a host."""
        self._books.failed(vm_id, host_id, time.monotonic())

    def stop(self) -> None:
        """End the loop; may be called from a signal handler."""
        self._is_stopping = True
        self._bell.ring()

    def ask_reload(self) -> None:
        """Read the settings again; may be called from a signal handler."""
        self._is_reload_due = True
        self._bell.ring()

    def run(self) -> None:
        """Cycle at events, and each SCHED_INTERVAL seconds when there are none."""
        due = rest_until = time.monotonic()
        while not self._is_stopping:
            self._alive.touch()
            rang = self._bell.wait(min(due - time.monotonic(), ALIVE_EVERY_S))
            if self._is_reload_due:
                self._take_settings()
            if not rang and time.monotonic() < due:
                continue
            # After a long cycle rest for a while: a stream of events must not keep the front-end busy.
            self._rest(max(DEBOUNCE_S, rest_until - time.monotonic()))
            if self._is_stopping:
                break
            started = time.monotonic()
            is_good = self._try_cycle()
            ended = time.monotonic()
            rest_until = ended + (ended - started) / 2
            due = ended + min(self._conf.interval_s if is_good else _RETRY_S, self._books.next_try_s(ended))
        self._calls.stop(timeout_s=5.0)
        self._client.close()

    def _rest(self, time_s: float) -> None:
        until = time.monotonic() + time_s
        while not self._is_stopping and (left_s := until - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.1))  # rings that come now are answered by the cycle that follows
        self._bell.wait(0)

    def _try_cycle(self) -> bool:
        """Whether the front-end could be read; the log says once when that ends, and when it is back."""
        try:
            self._cycle()
        except (OneError, EndpointError, xmldoc.XmlError) as error:
            if str(error) != self._trouble:
                _log.error("no cycle: %s; trying again", error)
            self._trouble = str(error)
            return False
        if self._trouble:
            _log.info("the front-end answers again")
        self._trouble = ""
        return True

    def _cycle(self) -> None:
        started = time.monotonic()
        under_way = self._books.under_way()  # before anything is read, see count_under_way
        pending = reading.read_vms(self._client, self._conf.memory_system_ds_scale)
        vms = [vm for vm in pending if vm.id not in under_way]
        self._books.keep_only(vm.id for vm in vms)
        ready = [vm for vm in vms if not self._books.is_paused(vm.id, started)]
        if not ready:
            return
        found = reading.read_resources(self._client, ready)
        rights.limit(self._client, found, self._zone)
        count_under_way(found.hosts, under_way)
        self._books.count_promises(found, under_way, started)
        read = time.monotonic()
        made = self._plan(found, read)
        decided = time.monotonic()
        _log.log(
            logging.INFO if made.dispatches else logging.DEBUG,
            "%d VMs wait: %d placed in %d rounds, %d refused (read %.0f ms, decided %.0f ms, seed %d)",
            len(ready),
            len(made.dispatches),
            made.rounds,
            len(made.refusals),
            1000 * (read - started),
            1000 * (decided - read),
            made.seed,
        )
        self._carry_out(found, made)
        self._tell(ready, made)

    def _plan(self, found: Snapshot, now: float) -> Plan:
        """The plan; a VM that has failed on every host that fits gets one of those rather than none."""
        seed = self._seeds.getrandbits(32)
        avoid, failed = self._books.avoid(now), self._books.failed_hosts(now)
        made = plan(found, self._conf, seed, _joined(avoid, failed))
        stuck = made.refusals.keys() & failed.keys()
        if not stuck:
            return made
        others = {vm_id: hosts for vm_id, hosts in failed.items() if vm_id not in stuck}
        return plan(found, self._conf, seed, _joined(avoid, others))

    def _zone(self) -> int:
        if self._zone_id is None:
            self._zone_id = reading.read_zone_id(self._client)
        return self._zone_id

    def _carry_out(self, found: Snapshot, made: Plan) -> None:
        names = {host.id: host.name for host in found.hosts}
        self._books.start(made.dispatches)
        for one in made.dispatches:
            host = f"host {names[one.host_id]} ({one.host_id})"
            rank = one.rank + 0.0  # no "-0"
            note = f"{host}, datastore {one.ds_id}, rank {rank:g}, seed {made.seed}"
            if one.is_move:
                is_live, mode = self._conf.live_rescheds, self._conf.cold_migrate_mode
                self._calls.move(one, note, is_live=is_live, cold_migrate_mode=mode)
            else:
                self._calls.deploy(one, note)

    def _tell(self, vms: list[VM], made: Plan) -> None:
        answers = {vm_id: self._books.last_answer(vm_id) for vm_id in made.refusals}
        for vm_id, text in self._messages.due(vms, made.refusals, answers, time.monotonic()):
            _log.info("VM %d waits: %s", vm_id, text)
            self._calls.message(vm_id, text)

    def _take_settings(self) -> None:
        self._is_reload_due = False
        conf = self._reload()
        if conf is None:
            return
        fixed = ("endpoint", "timeout_s", "dispatch_threads")
        if any(getattr(conf, name) != getattr(self._conf, name) for name in fixed):
            _log.warning("ONE_XMLRPC, TIMEOUT and DISPATCH_THREADS take effect after a restart")
        self._conf = conf
        _log.info("settings were read again")


def _joined(first: Avoid, second: Avoid) -> Avoid:
    """For each VM the hosts that either names."""
    nothing: frozenset[int] = frozenset()
    return {
        vm_id: first.get(vm_id, nothing) | second.get(vm_id, nothing)
        for vm_id in first.keys() | second.keys()
    }
