"""A running front-end with two hosts whose disks are files, for tests of everything that is done to a VM.

Images are copied to the hosts (as with the ssh transfer driver), so that every kind of disk is moved, saved
and deleted. What a driver shall refuse is set for one VM: ``refuse``.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.common import xmldoc
from services.common.oca import Client
from services.oned.lifecycle.states import state_name
from tests.support.frontend import Frontend

FAILURE, SUCCESS, RETRY, DELETE, RECREATE, DELETE_DB = range(6)
_WAIT_S = 150.0
_STEP_S = 0.03
_THREADS = re.compile(r"-t (15|64)\b")
_DUMMY = re.compile(r'(NAME\s*=\s*"dummy",\n\s*SUNSTONE_NAME[^\n]*\n)')


class Fleet:
    """Hosts h1 and h2, system datastores ``near`` and ``far``, an image, a network, a security group."""

    def __init__(self, frontend: Frontend) -> None:
        self.frontend = frontend
        conf = frontend.folder / "etc/oned.conf"
        text, changed = _DUMMY.subn(r'\1    LIVE_RESIZE   = "yes",\n', conf.read_text())
        assert changed == 1
        # Work that is held up must not hold up the work of others.
        conf.write_text(_THREADS.sub("-t 200", text) + "\nENGINE_JOBS = 200\n")
        self.settings = frontend.folder / "var/remotes/etc/dummy"
        (self.settings / "vms").mkdir(parents=True)
        (self.settings / "dummyrc").write_text("KEEP_DISKS=yes\nTOTALCPU=80000\nTOTALMEMORY=1677721600\n")
        self._clients = threading.local()
        frontend.start("opennebula", "opennebula-engine")
        self.hosts = {name: self.call("host.allocate", name, "dummy", "dummy", 0) for name in ("h1", "h2")}
        images = 'NAME="img" DS_MAD="dummy" TM_MAD="ssh" DATASTORE_CAPACITY_CHECK="NO"'
        self.images = self.call("datastore.allocate", images, 0)
        self.near, self.far = (
            self.call("datastore.allocate", f'NAME="{name}" TYPE="SYSTEM_DS" TM_MAD="ssh"', 0)
            for name in ("near", "far")
        )
        self.lan = self.call(
            "vn.allocate", "NAME=lan VN_MAD=dummy BRIDGE=br0 AR=[TYPE=IP4,IP=10.0.0.1,SIZE=4000]", 0
        )
        self.rules = self.call("secgroup.allocate", "NAME=web RULE=[PROTOCOL=TCP,RULE_TYPE=inbound]")
        self.os = self.image("os", "PATH=/x")
        self.wait(lambda: all(self.host_state(name) == "2" for name in self.hosts), "hosts monitored")

    # -- calls -----------------------------------------------------------------------------------------
    def call(self, method: str, *args: Any) -> Any:
        """A call as oneadmin, from any thread."""
        client: Client | None = getattr(self._clients, "client", None)
        if client is None:
            client = self._clients.client = self.frontend.client()
        return client.call(method, *args)

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Return when ``done``."""
        deadline = time.monotonic() + _WAIT_S
        while not done():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {_WAIT_S} s: {what}")
            time.sleep(_STEP_S)

    def host_state(self, name: str) -> str:
        """STATE of a host."""
        return xmldoc.parse(self.call("host.info", self.hosts[name], False)).findtext("STATE") or ""

    def image(self, name: str, template: str) -> int:
        """A new image that is ready."""
        made: int = self.call("image.allocate", f'NAME="{name}" {template}', self.images, False)
        self.wait(lambda: self.image_state(made) == "1", f"image {name} READY")
        return made

    def image_state(self, image: int) -> str:
        """STATE of an image."""
        return xmldoc.parse(self.call("image.info", image, False)).findtext("STATE") or ""

    # -- VMs -------------------------------------------------------------------------------------------
    def vm(self, name: str, *, disks: bool = True, host: str = "h1") -> Machine:
        """A VM on its way to a host: disks of each kind, an interface, a context."""
        kinds = ""
        if disks:
            saved = self.image(f"{name}-data", "TYPE=DATABLOCK SIZE=10 PERSISTENT=YES")
            kinds = (
                f"DISK=[IMAGE_ID={self.os}] DISK=[IMAGE_ID={saved}] "
                "DISK=[TYPE=fs,SIZE=5,FORMAT=raw] DISK=[TYPE=swap,SIZE=6] "
            )
        vm_id = self.call(
            "vm.allocate",
            f'NAME="{name}" CPU=0.01 MEMORY=1 {kinds}CONTEXT=[NETWORK=YES] '
            f'NIC=[NETWORK_ID={self.lan},SECURITY_GROUPS="{self.rules}"]',
            True,
        )
        return Machine(self, vm_id)


class Machine:
    """One VM."""

    def __init__(self, fleet: Fleet, vm_id: int) -> None:
        self.fleet, self.id = fleet, vm_id

    def call(self, method: str, *args: Any) -> Any:
        """``one.vm.<method>`` with the VM's id first."""
        return self.fleet.call(f"vm.{method}", self.id, *args)

    def act(self, action: str, then: str = "") -> None:
        """``one.vm.action``; return when the VM is in that state."""
        self.fleet.call("vm.action", action, self.id)
        if then:
            self.reach(then)

    def deploy(self, host: str = "h1", datastore: int | None = None, then: str = "RUNNING") -> None:
        """Deploy, and return when the VM is in that state."""
        place = self.fleet.near if datastore is None else datastore
        self.call("deploy", self.fleet.hosts[host], False, place, "")
        self.reach(then)

    def recover(self, operation: int, then: str) -> None:
        """``one.vm.recover``; return when the VM is in that state."""
        self.call("recover", operation)
        self.reach(then)

    def reach(self, *states: str) -> None:
        """Return when the VM is in one of the states and no driver works for it."""
        self.fleet.wait(lambda: self.state() in states, f"vm {self.id} {'/'.join(states)}, is {self.state()}")

    def document(self) -> xmldoc.etree._Element:
        """Its document."""
        return xmldoc.parse(self.call("info", False))

    def text(self, path: str) -> str:
        """The text of an element; '-' when it is not there."""
        found = self.document().findtext(path)
        return "-" if found is None else found

    def state(self) -> str:
        """Its condition, as the core names it."""
        document = self.document()
        return state_name(int(document.findtext("STATE") or 0), int(document.findtext("LCM_STATE") or 0))

    def error(self) -> str:
        """What went wrong last, as the user sees it."""
        return self.text("USER_TEMPLATE/ERROR")

    def host(self) -> str:
        """The host of its newest record."""
        return self.document().findall("HISTORY_RECORDS/HISTORY")[-1].findtext("HOSTNAME") or ""

    def disk_ids(self) -> list[str]:
        """The disks in its document."""
        return [disk.findtext("DISK_ID") or "" for disk in self.document().findall("TEMPLATE/DISK")]

    def nic_ids(self) -> list[str]:
        """The interfaces in its document."""
        return [nic.findtext("NIC_ID") or "" for nic in self.document().findall("TEMPLATE/NIC")]

    # -- what the drivers have ---------------------------------------------------------------------------
    def refuse(self, *actions: str) -> None:
        """Let these driver actions fail for this VM (``tm/mv``); none: all are done again."""
        network = ",".join(action for action in actions if action.startswith("vnm/"))
        (self.fleet.settings / f"vms/{self.id}").write_text(f'FAIL="{",".join(actions)}"\n')
        if network or "<DUMMY>" in self.call("info", False):
            # Network drivers do not hear whose interfaces they work on, but get the VM's document.
            self.call("update", f'DUMMY=[FAIL="{network or "nothing"}"]', 1)
            if not network:
                self.call("update", 'NOTE="none"', 0)

    def machines(self) -> list[str]:
        """The hosts that have its machine."""
        domains = self.fleet.frontend.folder / "var/dummy"
        return sorted(path.parent.name for path in domains.glob(f"h*/one-{self.id}"))

    def places(self) -> dict[str, Path]:
        """Where its folder can be: by machine (``fe``: the front-end) and datastore."""
        fleet = self.fleet
        root = fleet.frontend.folder / "var/dummy/.disks"
        below = str(fleet.frontend.folder / "var/datastores").lstrip("/")
        machines = {**{name: name for name in fleet.hosts}, "fe": platform.node()}
        return {
            f"{name}:{store}": root / machine / below / str(store) / str(self.id)
            for name, machine in machines.items()
            for store in (fleet.near, fleet.far)
        }

    def folders(self) -> list[Path]:
        """Where its folder is."""
        return [path for path in self.places().values() if path.is_dir()]

    def disks(self) -> dict[str, list[str]]:
        """The files of its disks, by place; the rest of what is in its folder is not shown."""
        found = {}
        for place, folder in self.places().items():
            names = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
            shown = sorted(name.removeprefix("disk.") for name in names if name.startswith("disk."))
            if shown:
                found[place] = shown
        return found

    def held(self) -> list[str]:
        """What is still held of its folders."""
        parents = {path.parent for path in self.places().values() if path.parent.is_dir()}
        names = (name for parent in parents for name in os.listdir(parent))
        return [name for name in names if name.startswith(f".{self.id}.held.")]

    def forget_disks(self) -> None:
        """Remove its folders, as an administrator would by hand."""
        for folder in self.folders():
            shutil.rmtree(folder)
