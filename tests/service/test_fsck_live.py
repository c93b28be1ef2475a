"""onedb fsck while eight clients create and terminate VMs: it finds nothing false and breaks no counter."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.common.oca import OneError
from tests.support import crash
from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(240)

CLIENTS = 8
ZERO = "Total errors found: 0\n"


class Traffic:
    """Clients that create VMs with a card, a screen and an image, let some run, and terminate them."""

    def __init__(self, frontend: Frontend) -> None:
        self._frontend = frontend
        client = frontend.client()
        self.hosts, _ = crash.prepare(client, f"live-{int(time.time())}")
        self.net: int = client.call(
            "vn.allocate", "NAME=live\nVN_MAD=dummy\nBRIDGE=b\nAR=[TYPE=IP4,IP=10.9.0.1,SIZE=500]", 0
        )
        store = client.call("datastore.allocate", "NAME=live\nDS_MAD=dummy\nTM_MAD=dummy", 0)
        system = "NAME=live-system\nTYPE=SYSTEM_DS\nTM_MAD=dummy"
        client.call("datastore.allocate", system, 0)
        self.image: int = client.call(
            "image.allocate", 'NAME=live\nTYPE=OS\nSIZE=10\nPATH="/x"\nPERSISTENT=NO', store, False
        )
        self.user: int = client.call("user.allocate", "walter", "pw", "core", [])
        client.call("vn.chmod", self.net, *([-1] * 6), 1, -1, -1)
        client.call("image.chmod", self.image, *([-1] * 6), 1, -1, -1)
        crash.wait(lambda: "<STATE>1</STATE>" in client.call("image.info", self.image), "image ready", 30)
        self.done = 0
        self._stop = threading.Event()
        self._errors: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """While the clients work; raises what went wrong with one of them."""
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)
        if self._errors:
            raise self._errors[0]

    def _work(self, number: int) -> None:
        try:
            client = self._frontend.client("walter:pw" if number % 2 else None)
            while not self._stop.is_set():
                vm_id = client.call(
                    "vm.allocate",
                    f"CPU=0.1\nMEMORY=16\nGRAPHICS=[TYPE=vnc]\nNIC=[NETWORK_ID={self.net}]\n"
                    f"DISK=[IMAGE_ID={self.image}]",
                    False,
                )
                if number % 4:
                    self._wait_for(client, vm_id, "<LCM_STATE>3</LCM_STATE>")
                try:
                    client.call("vm.action", "terminate-hard", vm_id)
                except OneError:
                    continue  # under way, some other time: the end takes all that are left
                self.done += 1
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            self._errors.append(error)

    def _wait_for(self, client: object, vm_id: int, mark: str) -> None:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and not self._stop.is_set():
            if mark in client.call("vm.info", vm_id):  # type: ignore[attr-defined]
                return
            time.sleep(0.05)

    def end(self) -> None:
        """Terminate every VM that is left, and look at what the hosts and the user count."""
        client = self._frontend.client()

        def all_gone() -> bool:
            pool = client.call("vmpool.info", -2, -1, -1, -1)
            for part in pool.split("<VM><ID>")[1:]:
                try:
                    client.call("vm.action", "terminate-hard", int(part.split("<")[0]))
                except OneError:
                    pass  # it ends already, or is under way
            return "<VM><ID>" not in pool

        crash.wait(all_gone, "all VMs gone", 90)
        crash.end_all(client, [], self.hosts)
        user = client.call("user.info", self.user)
        assert "<VM_QUOTA></VM_QUOTA>" in user or "<VMS_USED><![CDATA[0]]>" in user, user
        net = client.call("vn.info", self.net)
        assert "<USED_LEASES>0</USED_LEASES>" in net, net
        image = client.call("image.info", self.image)
        assert "<STATE>1</STATE>" in image and "<RUNNING_VMS>0</RUNNING_VMS>" in image, image


def test_looking_and_repairing(frontend: Frontend) -> None:
    traffic = Traffic(frontend)
    with traffic.running():
        crash.wait(lambda: traffic.done >= 5, "some VMs have come and gone", 60)
        for _ in range(4):
            before = traffic.done
            looked = frontend.run("onedb", "fsck", "--dry-run")
            assert looked.returncode == 0 and looked.stdout.startswith(ZERO), looked.stdout + looked.stderr
            crash.wait(lambda before=before: traffic.done > before, "the clients go on", 30)
        repaired = 0
        for table, key, oid, old, new in (
            ("host_pool", "oid", traffic.hosts[0], "<CPU_USAGE>", "<CPU_USAGE>7"),
            ("user_quotas", "user_oid", traffic.user, "<VMS_USED><![CDATA[", "<VMS_USED><![CDATA[7"),
            ("image_pool", "oid", traffic.image, "<RUNNING_VMS>", "<RUNNING_VMS>7"),
            ("network_pool", "oid", traffic.net, "]]></ALLOCATED>", " 400 68719576736]]></ALLOCATED>"),
        ):
            # Past all rules: oneadmin may.
            sql = f"UPDATE {table} SET body = REPLACE(body, '{old}', '{new}') WHERE {key} = {oid}"
            frontend.client().call("system.sql", sql, False)
            run = frontend.run("onedb", "fsck", "--no-backup")
            assert run.returncode == 0, run.stdout + run.stderr
            repaired += not run.stdout.startswith(ZERO)
        assert repaired >= 3, "the breaks were not found"
    traffic.end()
    looked = frontend.run("onedb", "fsck", "--dry-run")
    assert looked.returncode == 0 and looked.stdout.startswith(ZERO), looked.stdout
