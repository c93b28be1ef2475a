"""A zone whose drivers the test plays: it says whether the work that waits ends well."""

from __future__ import annotations

import pytest

from services.oned import fsck
from services.oned.lifecycle import fire
from services.oned.store import Tx, jobs
from services.oned.store.jobs import Job
from tests.support.core import Core, Refused


class Played:
    """A zone with one dummy host."""

    def __init__(self, core: Core) -> None:
        self.core, self.call, self.info = core, core.call, core.info
        self.system_ds = -1  # where VMs are deployed; -1: the default one
        self.host: int = core.call("host.allocate", "node", "dummy", "dummy", 0)
        core.store.run(lambda tx: jobs.cancel(tx, "HOST", self.host))

    def vm(self, extra: str = "", user: str = "oneadmin", hold: bool = False) -> int:
        """A new VM of half a CPU and 64 MB."""
        made: int = self.call("vm.allocate", f"CPU=0.5\nMEMORY=64\n{extra}", hold, user=user)
        return made

    def running(self, extra: str = "", user: str = "oneadmin") -> int:
        """A new VM that runs on the host."""
        vm_id = self.vm(extra, user)
        self.call("vm.deploy", vm_id, self.host, False, self.system_ds, "")
        self.work()
        return vm_id

    def act(self, name: str, vm_id: int, user: str = "oneadmin", ok: bool = True) -> None:
        """An action, and all the work that it brings."""
        self.call("vm.action", name, vm_id, user=user)
        self.work(ok)

    def work(self, ok: bool = True) -> None:
        """End every job of VMs, until none is left."""
        while rows := self.core.rows(
            "SELECT id, oid, operation, driver, host FROM onebox_job WHERE kind = 'VM' ORDER BY id LIMIT 1"
        ):
            job_id, oid, operation, driver, host = rows[0]
            job = Job(job_id, "VM", oid, operation, driver, host, {}, 1, None, 0)

            def finish(tx: Tx, job: Job = job) -> None:
                tx.run("DELETE FROM onebox_job WHERE id = ?", job.id)
                fire.job_finished(tx, job, ok, "" if ok else "no", "one-x")

            self.core.store.run(finish)

    def condition(self, vm_id: int) -> str:
        """STATE/LCM_STATE."""
        vm = self.info("vm.info", vm_id)
        return f"{vm.findtext('STATE')}/{vm.findtext('LCM_STATE')}"

    def refused(self, method: str, *args: object, user: str = "oneadmin") -> Refused:
        """The refusal of a call that must fail."""
        with pytest.raises(Refused) as refusal:
            self.call(method, *args, user=user)
        return refusal.value

    def contradictions(self) -> list[str]:
        """What the consistency check finds."""
        return self.core.store.run(fsck.check)
