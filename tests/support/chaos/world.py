"""What a storm is about: hosts with disks that are files, datastores, people, and how the drivers behave."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from services.common.oca import Client, EndpointError, OneError
from tests.support.frontend import Frontend

_INTERVAL = re.compile(r"^MONITORING_INTERVAL_(HOST|DATASTORE)\s*=\s*\d+", re.MULTILINE)
_RC = "KEEP_DISKS=yes\nTOTALCPU=80000\nTOTALMEMORY=1677721600\nDS_IMAGE_MB=10\n"
_FAIL = (
    *("deploy", "shutdown", "cancel", "save", "restore", "migrate", "reboot", "attach_disk", "detach_disk"),
    *("attach_nic", "detach_nic", "snapshot_create", "snapshot_delete", "vnm/pre", "vnm/post", "vnm/clean"),
    *("tm/clone", "tm/mv", "tm/mvds", "tm/mkimage", "tm/context", "tm/delete", "tm/snap_create", "tm/cpds"),
    *("tm/resize", "tm/verify", "tm/hold", "vmm", "all"),
)
_DS_FAIL = ("cp", "mkfs", "clone", "rm", "snap_delete")
_WAIT_S = 60.0


class World:
    """A running front-end with hosts, two system datastores, images, networks, and four ordinary users.

    Lists of ids grow while the storm is on; ``any_of`` picks one. ``troubled``: VMs whose drivers were ever
    told to fail.
    """

    def __init__(self, frontend: Frontend, hosts: int = 6) -> None:
        self.frontend = frontend
        conf = frontend.folder / "etc/oned.conf"
        conf.write_text(_INTERVAL.sub(r"MONITORING_INTERVAL_\1 = 5", conf.read_text()))
        self.settings = frontend.folder / "var/remotes/etc/dummy"
        for name in ("vms", "hosts"):
            (self.settings / name).mkdir(parents=True, exist_ok=True)
        (self.settings / "dummyrc").write_text(_RC)
        self.lock = threading.Lock()
        self.troubled: set[int] = set()
        self.vms: list[int] = []
        self.images: list[int] = []
        self.nets: list[int] = []
        frontend.start()
        client = frontend.client()
        self.hosts = [client.call("host.allocate", f"h{n}", "dummy", "dummy", 0) for n in range(hosts)]
        drivers = 'DS_MAD="dummy" TM_MAD="ssh" DATASTORE_CAPACITY_CHECK="NO"'
        self.store = client.call("datastore.allocate", f'NAME="img" {drivers}', 0)
        self.places = [
            client.call("datastore.allocate", f'NAME="{name}" TYPE="SYSTEM_DS" TM_MAD="ssh"', 0)
            for name in ("near", "far")
        ]
        self.sessions = [frontend.session] * 4 + [self._user(client, n) for n in range(4)]
        self.os = client.call("image.allocate", 'NAME="os" PATH="/x"', self.store, False)
        self.lan = client.call(
            "vn.allocate", 'NAME="lan" VN_MAD=dummy BRIDGE=br0 AR=[TYPE=IP4,IP=10.0.0.1,SIZE=6000]', 0
        )
        for method, oid in (("image", self.os), ("vn", self.lan), ("datastore", self.store)):
            client.call(f"{method}.chmod", oid, 1, 1, 1, 1, 0, 0, 1, 0, 0)
        wait(lambda: client.call("hostpool.info").count("<STATE>2</STATE>") == hosts, "hosts monitored")
        wait(lambda: "<STATE>1</STATE>" in client.call("image.info", self.os), "image ready")

    def _user(self, client: Client, number: int) -> str:
        name = f"walter{number}"
        uid = client.call("user.allocate", name, "pw", "core", [])
        client.call("user.quota", uid, "VM=[VMS=60,MEMORY=4000,CPU=-2]\nIMAGE=[ID=0,RVMS=50]")
        return f"{name}:pw"

    def any_of(self, rng: Random, ids: list[int]) -> int:
        """One of the ids, at times one that does not exist."""
        with self.lock:
            return rng.choice(ids) if ids and rng.random() > 0.01 else 10**6

    def add(self, ids: list[int], oid: int) -> None:
        """One id more."""
        with self.lock:
            ids.append(oid)

    def drop(self, ids: list[int], oid: int) -> None:
        """One id less."""
        with self.lock:
            if oid in ids:
                ids.remove(oid)

    # -- how drivers behave ------------------------------------------------------------------------------
    def mood(self, rng: Random) -> str:
        """Attributes for DUMMY=[…]: a random delay, and with luck no failure."""
        parts = [
            f'DELAY_S="{rng.choice((0, 0, 0.05, 0.2, 0.5))}"',
            f'POST_DELAY_S="{rng.choice((0, 0, 0.1))}"',
        ]
        if rng.random() < 0.25:
            parts.append(f'FAIL="{",".join(rng.sample(_FAIL, rng.randint(1, 3)))}"')
        return ",".join(parts)

    def image_mood(self, rng: Random) -> str:
        """The same for what is done to an image."""
        fails = f',FAIL="{rng.choice(_DS_FAIL)}"' if rng.random() < 0.2 else ""
        return f'DELAY_S="{rng.choice((0, 0.1, 0.5))}"{fails}'

    def set_mood(self, vm_id: int, mood: str) -> None:
        """Let the drivers behave so for a VM; it wins over dummyrc, and loses against the VM's document."""
        if "FAIL" in mood:
            with self.lock:
                self.troubled.add(vm_id)
        text = "\n".join(f"{word}" for word in re.findall(r'\w+="[^"]*"', mood))
        partial = self.settings / f"vms/.{vm_id}.{threading.get_ident()}"
        partial.write_text(text + "\n")
        partial.rename(self.settings / f"vms/{vm_id}")

    def upset_host(self, rng: Random) -> None:
        """Let the monitoring of a host fail; the one of which it failed before is well again."""
        host = rng.randrange(len(self.hosts))
        with self.lock:
            upset = list((self.settings / "hosts").iterdir())
            for file in upset:
                file.unlink()
            if not upset:
                (self.settings / f"hosts/h{host}").write_text('FAIL="im/monitor"\n')

    def calm(self) -> None:
        """Let all drivers be well from now on."""
        for folder in ("vms", "hosts"):
            for file in (self.settings / folder).iterdir():
                file.unlink()

    # -- what the drivers have ---------------------------------------------------------------------------
    def machines(self) -> dict[int, list[str]]:
        """The hosts that have a machine of each VM."""
        found: dict[int, list[str]] = {}
        for path in (self.frontend.folder / "var/dummy").glob("h*/one-*"):
            if path.name.removeprefix("one-").isdigit():
                found.setdefault(int(path.name.removeprefix("one-")), []).append(path.parent.name)
        return found

    def folders(self) -> dict[int, list[Path]]:
        """The folders of each VM in system datastores, on any machine."""
        root = self.frontend.folder / "var/dummy/.disks"
        below = str(self.frontend.folder / "var/datastores").lstrip("/")
        found: dict[int, list[Path]] = {}
        for place in self.places:
            for path in root.glob(f"*/{below}/{place}/*"):
                name = path.name.partition(".held.")[0].lstrip(".")
                if name.isdigit():
                    found.setdefault(int(name), []).append(path)
        return found


def wait(done: Callable[[], bool], what: str, timeout_s: float = _WAIT_S, step_s: float = 0.1) -> None:
    """Return when ``done``, asking again while nobody answers. Raises AssertionError after the time."""
    deadline = time.monotonic() + timeout_s
    last: Any = ""
    while time.monotonic() < deadline:
        try:
            if done():
                return
        except (EndpointError, OneError, OSError) as error:
            last = f" (last answer: {error})"
        time.sleep(step_s)
    raise AssertionError(f"not within {timeout_s:g} s: {what}{last}")
