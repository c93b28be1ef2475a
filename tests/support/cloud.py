"""Hosts, datastores and VMs in this process; the test plays the drivers and says how work ends."""

from __future__ import annotations

import pytest

from services.common import xmldoc
from services.oned import fsck
from services.oned.drivers.execute import Result
from services.oned.engine import results
from services.oned.lifecycle.states import state_name
from services.oned.model.host import Host
from services.oned.store import Tx, jobs
from tests.support.core import Core, Refused
from tests.support.images import Images

OUTPUT = {
    "vmm.DEPLOY": "one-x",
    "vmm.RESTORE": "one-x",
    "vmm.SNAPSHOT_CREATE": "hyp-7",
    "ds.MKFS": "/ds/saved",
    "ds.CP": "/ds/new raw",
}


class Cloud:
    """Two hosts in the default cluster; ``images`` has datastores for images when they are asked for."""

    def __init__(self, core: Core, driver: str = "dummy") -> None:
        self.core, self.call, self.info = core, core.call, core.info
        self.driver = driver
        self.host = self.add_host("node1")
        self.other = self.add_host("node2")
        self.system = -1
        self._images: Images | None = None

    @property
    def images(self) -> Images:
        """The image datastores, and with them a system datastore that disks of images can go to."""
        if self._images is None:
            self._images = Images(self.core)
            self.system = self.call("datastore.allocate", "NAME=sys TYPE=SYSTEM_DS TM_MAD=dummy", 0)
        return self._images

    def add_host(self, name: str, cluster: int = 0, driver: str = "") -> int:
        """A host with room for four CPUs and 8 GB."""
        host: int = self.call("host.allocate", name, "dummy", driver or self.driver, cluster)

        def grow(tx: Tx) -> None:
            jobs.cancel(tx, "HOST", host)
            found = Host.load(tx, host)
            found.share.total_cpu = found.share.max_cpu = 400
            found.share.total_mem = found.share.max_mem = 8 * 1024 * 1024
            found.save(tx)

        self.core.store.run(grow)
        return host

    # -- VMs -----------------------------------------------------------------------------------------
    def vm(self, extra: str = "", user: str = "oneadmin", hold: bool = False) -> int:
        """A new VM of half a CPU and 64 MB."""
        made: int = self.call("vm.allocate", f"CPU=0.5\nMEMORY=64\n{extra}", hold, user=user)
        return made

    def running(self, extra: str = "", user: str = "oneadmin", host: int | None = None) -> int:
        """A VM that runs."""
        vm_id = self.vm(extra, user)
        self.call("vm.deploy", vm_id, self.host if host is None else host, False, self.system, "")
        self.end("tm.PROLOG")
        self.end("vmm.DEPLOY")
        assert self.state(vm_id) == "RUNNING"
        return vm_id

    def off(self, extra: str = "", user: str = "oneadmin") -> int:
        """A VM that was powered off."""
        vm_id = self.running(extra, user)
        self.act("poweroff", vm_id, "vmm.SHUTDOWN")
        return vm_id

    def suspended(self, extra: str = "") -> int:
        """A VM that was suspended."""
        vm_id = self.running(extra)
        self.act("suspend", vm_id, "vmm.SAVE")
        return vm_id

    def undeployed(self, extra: str = "") -> int:
        """A VM that was undeployed."""
        vm_id = self.running(extra)
        self.act("undeploy", vm_id, "vmm.SHUTDOWN", "tm.EPILOG_STOP")
        return vm_id

    def stopped(self, extra: str = "") -> int:
        """A VM that was stopped."""
        vm_id = self.running(extra)
        self.act("stop", vm_id, "vmm.SAVE", "tm.EPILOG_STOP")
        return vm_id

    def act(self, action: str, vm_id: int, *operations: str, user: str = "oneadmin") -> None:
        """An action, and the work that it brings, which ends well."""
        self.call("vm.action", action, vm_id, user=user)
        for operation in operations:
            self.end(operation)

    def document(self, vm_id: int) -> xmldoc.etree._Element:
        """The VM's document."""
        return self.info("vm.info", vm_id)

    def text(self, vm_id: int, path: str) -> str | None:
        """The text of an element of the VM's document."""
        return self.document(vm_id).findtext(path)

    def state(self, vm_id: int) -> str:
        """The VM's condition, as the core names it."""
        document = self.document(vm_id)
        return state_name(int(document.findtext("STATE") or 0), int(document.findtext("LCM_STATE") or 0))

    def records(self, vm_id: int) -> list[dict[str, str]]:
        """The history records, oldest first."""
        found = self.document(vm_id).findall("HISTORY_RECORDS/HISTORY")
        return [{child.tag: child.text or "" for child in record} for record in found]

    def copies(self, vm_id: int) -> list[xmldoc.etree._Element]:
        """The copies of the VM in its history records, oldest first."""
        rows = self.core.rows("SELECT body FROM history WHERE vid = ? ORDER BY seq", vm_id)
        return [element for row in rows if (element := xmldoc.parse(row[0]).find("VM")) is not None]

    def share(self, host: int) -> tuple[str, ...]:
        """CPU, memory and number of VMs that a host counts."""
        document = self.info("host.info", host)
        names = ("CPU_USAGE", "MEM_USAGE", "RUNNING_VMS")
        return tuple(document.findtext(f"HOST_SHARE/{name}") or "" for name in names)

    # -- driver work ---------------------------------------------------------------------------------
    def waiting(self) -> list[str]:
        """The operations that wait for a driver, monitoring left out."""
        rows = self.core.rows("SELECT operation FROM onebox_job WHERE state <> 3 ORDER BY id")
        return [row[0] for row in rows if not row[0].endswith("MONITOR")]

    def job(self) -> tuple[str, str, str, str]:
        """Operation, driver, host and specification of the oldest piece of work."""
        rows = self.core.rows(
            "SELECT operation, driver, host, spec FROM onebox_job WHERE state <> 3 ORDER BY id"
        )
        first = next(row for row in rows if not row[0].endswith("MONITOR"))
        return (first[0], first[1], first[2], first[3])

    def end(self, operation: str, ok: bool = True, message: str = "", output: str | None = None) -> None:
        """End the oldest piece of work, which must be that operation."""

        def apply(tx: Tx) -> None:
            tx.run("DELETE FROM onebox_job WHERE operation LIKE '%MONITOR' OR state = 3")
            found = jobs.claim(tx, 1, 1)
            assert [job.operation for job in found] == [operation]
            said = OUTPUT.get(operation, "") if output is None else output
            assert results.apply(tx, 1, Result(found[0], ok, message, said if ok else ""))

        self.core.store.run(apply)

    # -- refusals and consistency --------------------------------------------------------------------
    def refused(self, code: int, method: str, *args: object, user: str = "oneadmin") -> str:
        """The text of the refusal of a call, which must have that code."""
        with pytest.raises(Refused) as refusal:
            self.call(method, *args, user=user)
        assert refusal.value.code == code, refusal.value.text
        return refusal.value.text

    def contradictions(self) -> list[str]:
        """What the consistency check finds."""
        return self.core.store.run(fsck.check)

    def lan(self, extra: str = "") -> int:
        """A network of ten addresses from 10.0.0.1 on in the default cluster."""
        net: int = self.call(
            "vn.allocate",
            f"NAME=lan\nVN_MAD=dummy\nBRIDGE=br0\nAR=[TYPE=IP4,IP=10.0.0.1,SIZE=10]\n{extra}",
            0,
        )
        return net
