"""Virtual machines in the container: pyone's way of a first VM, and kills in the middle of fifty."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import pyone
import pytest

from services.common.oca import Client
from tests.support import crash
from tests.support.containers import Container, EngineError
from tests.support.frontend import ROOT

pytestmark = pytest.mark.timeout(300)

OPERATOR = ROOT / "tests" / "tours" / "operator.sh"
# program of Supervisor: words of the process that does its work
_KILLED = {
    "opennebula": "services.oned.server",
    "opennebula-engine": "services.oned.engine",
    "opennebula-monitord": "services.oned.monitor",
    "opennebula-scheduler": "services.scheduler",
    "mysqld": "mariadbd",
}


def domains(container: Container) -> int:
    """How many machines the simulated hypervisors know."""
    return len(container.exec("find", "/var/lib/one/dummy", "-name", "one-*", "-type", "f").split())


def patient_client(container: Container) -> Client:
    """A client; a container that is being started again has no port for a moment."""
    until = time.monotonic() + 60
    while True:
        try:
            return container.client()
        except EngineError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def fsck(container: Container) -> str:
    """What the consistency check finds."""
    return container.exec("onedb", "fsck", "--dry-run", user="oneadmin")


@pytest.fixture(scope="module")
def hosts_and_template(frontend_container: Container) -> tuple[list[int], int]:
    """Two dummy hosts and a template."""
    return crash.prepare(frontend_container.client(), "image")


def test_twenty_vms_with_pyone(frontend_container: Container) -> None:
    one: Any = pyone.OneServer(frontend_container.endpoint, session=frontend_container.session)
    hosts = [one.host.allocate(f"pyone-{n}", "dummy", "dummy", 0) for n in (1, 2)]
    template = one.template.allocate('NAME="pyone"\nCPU="0.5"\nMEMORY="256"')
    crash.wait(lambda: all(one.host.info(host).STATE == 2 for host in hosts), "hosts monitored")
    ids = [one.template.instantiate(template, "", False, "", False) for _ in range(20)]
    crash.wait(lambda: all(one.vm.info(i).LCM_STATE == 3 for i in ids), "20 VMs RUNNING", 10)
    shares = [one.host.info(host).HOST_SHARE for host in hosts]
    assert [share.RUNNING_VMS for share in shares] == [10, 10]
    assert all(share.CPU_USAGE <= share.MAX_CPU and share.MEM_USAGE <= share.MAX_MEM for share in shares)
    one.vm.action("poweroff", ids[0])
    crash.wait(lambda: one.vm.info(ids[0]).STATE == 8, "POWEROFF")
    one.vm.action("resume", ids[0])
    crash.wait(lambda: one.vm.info(ids[0]).LCM_STATE == 3, "RUNNING again")
    for vm_id in ids:
        one.vm.action("terminate", vm_id)
    crash.wait(lambda: all(one.vm.info(i).STATE == 6 for i in ids), "20 VMs DONE")
    for host in hosts:
        share = one.host.info(host).HOST_SHARE
        assert (share.RUNNING_VMS, share.CPU_USAGE, share.MEM_USAGE) == (0, 0, 0)
        one.host.delete(host)
    assert "Total errors found: 0" in fsck(frontend_container)


def test_an_operator_s_day(frontend_container: Container) -> None:
    """The lines of tests/tours/operator.sh, inside, as oneadmin; and what shells and man know of them."""
    frontend_container.exec("sh", "-c", "cat >/tmp/operator.sh", user="oneadmin", stdin=OPERATOR.read_text())
    said = frontend_container.exec("sh", "/tmp/operator.sh", user="oneadmin")
    assert int(said.split()[0]) >= 100 and said.endswith(" lines\n")
    assert ".SS onevm migrate" in frontend_container.exec("cat", "/usr/share/man/man1/onevm.1")
    script = (
        ". /usr/share/bash-completion/completions/onehost; COMP_WORDS=(onehost forceu); COMP_CWORD=1; "
        '_onehost; echo "${COMPREPLY[@]}"'
    )
    assert frontend_container.exec("bash", "-c", script, user="oneadmin") == "forceupdate\n"


@pytest.mark.parametrize("program", _KILLED)
def test_kill_a_program(
    frontend_container: Container, hosts_and_template: tuple[list[int], int], program: str
) -> None:
    hosts, template = hosts_and_template
    burst = crash.Burst(frontend_container.client, template, 50, program)
    burst.start()
    burst.wait_for(20)
    assert len(burst.attempted) < 50, "the kill must fall into the burst"
    frontend_container.exec("pkill", "-KILL", "-f", _KILLED[program])
    burst.join()
    check_after(frontend_container, burst, hosts)


def test_kill_the_container(frontend_container: Container, hosts_and_template: tuple[list[int], int]) -> None:
    hosts, template = hosts_and_template
    burst = crash.Burst(lambda: patient_client(frontend_container), template, 50, "container")
    burst.start()
    burst.wait_for(20)
    assert len(burst.attempted) < 50, "the kill must fall into the burst"
    frontend_container.kill()
    frontend_container.start()
    burst.join()
    check_after(frontend_container, burst, hosts)


def check_after(container: Container, burst: crash.Burst, hosts: list[int]) -> None:
    container.wait_healthy()
    client = container.client()
    ids = crash.check_all_run(client, burst)
    assert domains(container) == len(ids), "machines on the hypervisors"
    assert "Total errors found: 0" in fsck(container)
    crash.end_all(client, ids, hosts)
    assert domains(container) == 0
    assert "Total errors found: 0" in fsck(container)


def test_commands_of_the_image(frontend_container: Container) -> None:
    listed = frontend_container.exec("onehost", "list", "--csv", user="oneadmin")
    assert listed.startswith("ID,NAME,CLUSTER")
    with pytest.raises(EngineError, match="9999"):
        frontend_container.exec("onevm", "show", "9999", user="oneadmin")


def test_the_newer_pyone(frontend_container: Container, newer_pyone: str) -> None:
    script = (
        "import pyone, sys\n"
        "one = pyone.OneServer(sys.argv[1], session=sys.stdin.read())\n"
        "vm = one.vm.allocate('NAME=\"new\"\\nCPU=1\\nMEMORY=16', True)\n"
        "print(one.vm.info(vm).NAME, len(one.hostpool.info().HOST), one.userpool.info().USER[-1].NAME)\n"
        "one.vm.action('terminate', vm)\n"
    )
    done = subprocess.run(
        [newer_pyone, "-c", script, frontend_container.endpoint],
        input=frontend_container.session, text=True, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["new", "2", "oneadmin"]
