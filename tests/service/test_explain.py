"""Why machines wait, asked of a living front-end; and what lets them go on without the interval."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from services.common.oca import OneError
from services.common.template import Template
from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(180)
SCHEDULER = "opennebula-scheduler"


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A front-end whose scheduler does not look at the clock within these tests; hosts small and large."""
    running = Frontend(tmp_path_factory.mktemp("frontend"))
    (running.folder / "etc" / "sched.conf").write_text("SCHED_INTERVAL = 3600\nMAX_HOST = 0\nMAX_VM = 5000\n")
    try:
        running.start()
        for name in ("small", "large"):
            running.client().call("host.allocate", name, "dummy", "dummy", 0)
        wait_for(lambda: str(running.client().call("hostpool.info")).count("<STATE>2</STATE>") == 2)
        running.client().call("host.update", 0, 'RACK="1"\nRESERVED_CPU="700"', 1)
        running.client().call("host.update", 1, 'RACK="2"', 1)
        yield running
    finally:
        running.stop()


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def create(frontend: Frontend, text: str, cpu: float = 0.1) -> int:
    return int(frontend.client().call("vm.allocate", f"CPU={cpu}\nMEMORY=64\n{text}", False))


def host_of(frontend: Frontend, vm_id: int) -> int | None:
    text = str(frontend.client().call("vm.info", vm_id))
    return int(text.rpartition("<HID>")[2].partition("<")[0]) if "<HID>" in text else None


def message(frontend: Frontend, vm_id: int) -> str:
    return str(frontend.client().call("vm.info", vm_id)).partition("<SCHED_MESSAGE>")[2].partition("</")[0]


def out(frontend: Frontend, *words: str) -> str:
    found = frontend.run(*words)
    assert (found.returncode, found.stderr) == (0, ""), found.stderr
    return found.stdout


def test_explanations_without_a_scheduler(frontend: Frontend) -> None:
    """All is computed when asked for, by the same plan: no scheduler has to run."""
    frontend.end(SCHEDULER)
    try:
        big = create(frontend, "NAME=big", cpu=9000)
        nowhere = create(frontend, 'NAME=nowhere\nSCHED_REQUIREMENTS="RACK = 7"')
        fine = create(frontend, 'NAME=fine\nSCHED_REQUIREMENTS="RACK = 2"')
        text = out(frontend, "onevm", "explain", "big")
        assert (
            f"VM {big} waits" in text
            and "2 lack CPU" in text
            and "Nearest is host large: 900000% CPU" in text
        )
        text = out(frontend, "onevm", "explain", str(nowhere))
        assert "2 fail the requirements" in text and "RACK = 7 does not hold" in text
        assert f"VM {fine} gets host large (1)" in out(frontend, "onevm", "explain", str(fine))

        (answer,) = json.loads(out(frontend, "onevm", "explain", str(big), "--cpu", "0.5", "--json"))
        assert answer["host_id"] in (0, 1) and answer["reason"] == ""
        (answer,) = json.loads(out(frontend, "onevm", "explain", "fine", "--host-down", "large", "-j"))
        assert answer["host_id"] is None and "1 not monitored" in answer["reason"]
        assert answer["hosts"][0]["obstacles"]

        text = out(frontend, "onevm", "explain", "--plan")
        assert "1 VMs get a place, 2 wait" in text and f"VM {nowhere}: Cannot be placed" in text
        made = json.loads(frontend_plan(frontend))
        assert [one["vm_id"] for one in made["dispatches"]] == [fine]
        assert set(made["refusals"]) == {str(big), str(nowhere)}

        text = out(frontend, "onehost", "explain", "small", "--memory", "9999g")
        assert "3 VMs wait for a place" in text and "get another host" in text
        assert "A VM of that size does not fit" in text and "MB memory needed" in text
        (answer,) = json.loads(out(frontend, "onehost", "explain", "1", "--json"))
        assert answer["coming"] == [fine] and len(answer["blocked"]) == 2
        assert host_of(frontend, fine) is None, "asking changes nothing"
    finally:
        frontend.spawn(SCHEDULER)
    wait_for(lambda: host_of(frontend, fine) == 1)
    wait_for(lambda: "2 fail the requirements" in message(frontend, nowhere))
    assert "SCHED_MESSAGE" in out(frontend, "onevm", "show", str(nowhere))


def frontend_plan(frontend: Frontend) -> str:
    """What the scheduler's own dry run prints."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "services.scheduler", "--dry-run", "--json"]
    return subprocess.run(command, env=frontend.env, check=True, capture_output=True, text=True).stdout


def test_who_sees_no_host_reads_what_the_scheduler_said(frontend: Frontend) -> None:
    frontend.client().call("user.allocate", "ann", "ann-secret", "", [])
    vm_id = create(frontend, 'NAME=hers\nSCHED_REQUIREMENTS="RACK = 8"')
    frontend.client().call("vm.chown", vm_id, 2, 1)
    wait_for(lambda: "Cannot be placed" in message(frontend, vm_id))
    text = out(frontend, "onevm", "explain", str(vm_id), "--user", "ann", "--password", "ann-secret")
    assert "You can see no host" in text and "Cannot be placed on any of 2 hosts" in text
    found = frontend.run("onehost", "explain", "0", "--user", "ann", "--password", "ann-secret")
    assert found.returncode == 255 and "you can see no host 0" in found.stderr
    frontend.client().call("vm.recover", vm_id, 3)


def test_wrong_questions(frontend: Frontend) -> None:
    for words, text in (
        (["onevm", "explain"], "name machines, or ask for the whole plan"),
        (["onevm", "explain", "--plan", "0"], "leave ids"),
        (["onevm", "explain", "4711"], "4711"),
        (["onehost", "explain", "nobody"], "nobody"),
        (["onevm", "explain", "0", "--host-down", "nobody"], "nobody"),
        (["onevm", "explain", "0", "--cpu", "much"], "much"),
    ):
        found = frontend.run(*words)
        assert found.returncode == 255 and text in found.stderr and "Traceback" not in found.stderr


def test_an_update_lets_a_machine_go_at_once(frontend: Frontend) -> None:
    """The interval is an hour: only what happens can have started a cycle."""
    client = frontend.client()
    vm_id = create(frontend, 'SCHED_REQUIREMENTS="RACK = 9"')
    wait_for(lambda: "Cannot be placed" in message(frontend, vm_id))
    client.call("vm.update", vm_id, 'SCHED_REQUIREMENTS="RACK = 2"', 1)
    wait_for(lambda: host_of(frontend, vm_id) == 1)

    other = create(frontend, 'SCHED_REQUIREMENTS="RACK = 9"')
    wait_for(lambda: "Cannot be placed" in message(frontend, other))
    client.call("host.update", 0, 'RACK="9"', 1)
    wait_for(lambda: host_of(frontend, other) == 0)


def test_a_rule_of_permissions_lets_a_machine_go_at_once(frontend: Frontend) -> None:
    client = frontend.client()
    group = int(client.call("group.allocate", "fenced"))
    client.call("vdc.delgroup", 0, group)
    user = int(client.call("user.allocate", "bob", "bob-secret", "", [group]))
    vm_id = create(frontend, "NAME=his")
    client.call("vm.action", "hold", vm_id)
    client.call("vm.chown", vm_id, user, group)
    client.call("vm.action", "release", vm_id)
    wait_for(lambda: "not authorized for its owner" in message(frontend, vm_id))
    client.call("vdc.addgroup", 0, group)
    wait_for(lambda: host_of(frontend, vm_id) is not None)


def test_a_machine_that_failed_on_a_host_tries_another_first(frontend: Frontend) -> None:
    client = frontend.client()
    vm_id = create(frontend, 'SCHED_RANK="ID"\nDUMMY=[ FAIL="vmm/deploy" ]')
    wait_for(lambda: "<LCM_STATE>36<" in str(client.call("vm.info", vm_id)))  # BOOT_FAILURE
    assert host_of(frontend, vm_id) == 1
    client.call("vm.update", vm_id, 'SCHED_RANK="ID"', 0)
    client.call("vm.recover", vm_id, 4)  # recreate: it waits again
    wait_for(lambda: "<LCM_STATE>3<" in str(client.call("vm.info", vm_id)))
    assert host_of(frontend, vm_id) == 0


def test_the_multi_tier_group_of_the_guide(frontend: Frontend) -> None:
    """Front-ends apart; databases and applications on one host, which must be the large one."""
    client = frontend.client()
    text = """NAME = "multi-tier server"
        ROLE = [ NAME = "front-end", POLICY = "ANTI_AFFINED" ]
        ROLE = [ NAME = "apps", HOST_AFFINED = "1" ]
        ROLE = [ NAME = "db" ]
        AFFINED = "db, apps" """
    group = int(client.call("vmgroup.allocate", text))

    def play(role: str) -> int:
        return create(frontend, f'VMGROUP = [ VMGROUP_NAME = "multi-tier server", ROLE = "{role}" ]')

    apps, db = play("apps"), play("db")
    fronts = [play("front-end") for _ in range(3)]
    wait_for(lambda: host_of(frontend, apps) == host_of(frontend, db) == 1)
    wait_for(lambda: sum(host_of(frontend, one) is None for one in fronts) == 1)
    (left,) = [one for one in fronts if host_of(frontend, one) is None]
    assert {host_of(frontend, one) for one in fronts} == {0, 1, None}
    wait_for(lambda: "2 hold VMs that it must be apart from" in message(frontend, left))
    later = play("db")
    wait_for(lambda: host_of(frontend, later) == 1)
    with pytest.raises(OneError, match="5 VMs|6 VMs"):
        client.call("vmgroup.update", group, 'ANTI_AFFINED = "db, front-end"', 1)
    client.call("vmgroup.delete", group)
    wait_for(lambda: host_of(frontend, left) is not None)  # without the group nothing keeps it


def test_the_guides_database_and_backup_group_as_it_is_printed(frontend: Frontend) -> None:
    """The guide's text lacks a comma and names a role that it does not define: both are refused."""
    client = frontend.client()
    printed = """NAME = "database and backup"
        ROLE = [ NAME = "apps", HOST_AFFINED = "1,2,3,4,5,6,7"{comma}
                 POLICY = "AFFINED" ]
        ROLE = [ NAME = "backup", HOST_ANTI_AFFINED = "3,4", POLICY = "ANTI_AFFINED" ]
        ANTI_AFFINED = "{first}, backup" """
    with pytest.raises(OneError):
        client.call("vmgroup.allocate", printed.format(comma="", first="workers"))
    with pytest.raises(OneError, match="workers"):
        client.call("vmgroup.allocate", printed.format(comma=",", first="workers"))
    group = int(client.call("vmgroup.allocate", printed.format(comma=",", first="apps")))
    with pytest.raises(OneError, match="ANTI_AFFINED"):
        client.call("vmgroup.update", group, 'AFFINED = "apps, backup"', 1)
    template = Template.parse(printed.format(comma=",", first="apps"))
    assert template.get("ANTI_AFFINED") == "apps, backup"
    client.call("vmgroup.delete", group)
