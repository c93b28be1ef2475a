"""What must hold after a kill in the middle of creating many VMs; used natively and in containers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from xml.etree import ElementTree

from services.common.oca import Client, EndpointError, OneError

_STEP_S = 0.05


class Burst:
    """Threads that create VMs with names of their own, and remember which ones were acknowledged."""

    def __init__(
        self, client: Callable[[], Client], template: int, count: int, prefix: str, threads: int = 4
    ) -> None:
        self.acknowledged: dict[str, int] = {}
        self.attempted: list[str] = []
        self._client, self._template = client, template
        self._names = [f"{prefix}-{n}" for n in range(count)]
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until every name was tried once."""
        for thread in self._threads:
            thread.join()

    def wait_for(self, acknowledged: int, timeout_s: float = 60.0) -> None:
        """Return once so many were acknowledged."""
        wait(lambda: len(self.acknowledged) >= acknowledged, f"{acknowledged} VMs acknowledged", timeout_s)

    def _work(self) -> None:
        client = self._client()
        while True:
            with self._lock:
                if not self._names:
                    return
                name = self._names.pop(0)
                self.attempted.append(name)
            try:
                vm_id = client.call("template.instantiate", self._template, name, False, "", False)
                self.acknowledged[name] = vm_id
                time.sleep(0.04)  # so that the kill falls between the first and the last of them
            except (EndpointError, OSError):
                # Nobody answers: whether this one was created is unknown. The rest waits for the restart.
                client = self._client()
                time.sleep(0.2)
            except OneError:
                time.sleep(0.2)


def wait(done: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    """Return when ``done``, asking again while the front-end is away; AssertionError after the time."""
    deadline = time.monotonic() + timeout_s
    last = ""
    while time.monotonic() < deadline:
        try:
            if done():
                return
        except (EndpointError, OSError, OneError) as error:
            last = f" (last answer: {error})"
        time.sleep(_STEP_S)
    raise AssertionError(f"not within {timeout_s} s: {what}{last}")


def prepare(client: Client, prefix: str) -> tuple[list[int], int]:
    """Two monitored dummy hosts and a template."""
    hosts = [client.call("host.allocate", f"{prefix}-{n}", "dummy", "dummy", 0) for n in (1, 2)]
    template = client.call(
        "template.allocate", f'NAME="{prefix}"\nCPU="0.05"\nMEMORY="16"\nDUMMY=[DELAY_S="0.2"]'
    )
    wait(
        lambda: all("<STATE>2</STATE>" in client.call("host.info", host, False) for host in hosts),
        "hosts monitored",
        30,
    )
    return hosts, template


def check_all_run(client: Client, burst: Burst, timeout_s: float = 90.0) -> list[int]:
    """Every acknowledged VM exists once and reaches RUNNING by itself; the ids of all VMs of the burst."""
    pool: dict[str, list[tuple[int, str]]] = {}

    def look() -> bool:
        pool.clear()
        root = ElementTree.fromstring(client.call("vmpool.info", -2, -1, -1, -2))
        for vm in root.findall("VM"):
            name = vm.findtext("NAME") or ""
            if name in burst.attempted:
                pool.setdefault(name, []).append(
                    (int(vm.findtext("ID") or -1), vm.findtext("LCM_STATE") or "")
                )
        return all(state == "3" for found in pool.values() for _, state in found) and len(pool) >= len(
            burst.acknowledged
        )

    try:
        wait(look, "all VMs RUNNING", timeout_s)
    except AssertionError:
        states = Counter(state for found in pool.values() for _, state in found)
        raise AssertionError(f"not all RUNNING: LCM states {dict(states)} of {len(pool)} VMs") from None
    doubled = {name: found for name, found in pool.items() if len(found) > 1}
    assert not doubled, f"created twice: {doubled}"
    lost = {name for name, vm_id in burst.acknowledged.items() if pool.get(name, [(-1, "")])[0][0] != vm_id}
    assert not lost, f"acknowledged but not there: {lost}"
    return [found[0][0] for found in pool.values()]


def end_all(client: Client, ids: list[int], hosts: list[int]) -> None:
    """Terminate the VMs; the hosts' shares go back to zero."""
    for vm_id in ids:
        client.call("vm.action", "terminate-hard", vm_id)
    wait(lambda: client.call("vmpool.info", -2, -1, -1, -1).count("<VM>") == 0, "all VMs DONE", 90)
    for host in hosts:
        body = client.call("host.info", host, False)
        for share in ("<CPU_USAGE>0</CPU_USAGE>", "<MEM_USAGE>0</MEM_USAGE>", "<RUNNING_VMS>0</RUNNING_VMS>"):
            assert share in body, f"host {host}: {share} is not in {body}"
