"""The plan of a live migration."""

from __future__ import annotations

import base64

from services.common import xmldoc
from services.oned.drivers import vmm_migrate
from services.oned.drivers.step import Step
from tests.unit.oned.drivers.conftest import Make, lines


def migrate(context: Make, driver: str = "lxc") -> list[Step]:
    return vmm_migrate.migrate(context(driver, 'NIC=[VN_MAD="fw"]', before=("node0", 104), previous=True))


def test_sequence(context: Make) -> None:
    steps = migrate(context)
    assert lines(steps) == [
        "tm/ssh/premigrate node0 node1 /ds/104/7 7 104",
        "vnm/fw/pre",
        "vmm/lxc/migrate one-7 node1 node0 7 node0",
        "vnm/fw/clean node0",
        "vnm/fw/post one-7 node1",
        "vmm/lxc/poll one-7 node1 7 node1",
        "tm/ssh/postmigrate node0 node1 /ds/104/7 7 104",
    ]
    assert [step.host for step in steps] == ["", "node1", "node0", "node0", "node1", "node1", ""]
    assert [step.ignore_failure for step in steps] == [False] * 3 + [True] * 4
    assert lines(steps[1].undo) == lines(steps[2].undo) == ["tm/ssh/failmigrate node0 node1 /ds/104/7 7 104"]


def test_the_origin_is_left_as_it_is_until_the_machine_is_seen_at_the_target(context: Make) -> None:
    *_, poll, post = migrate(context)
    assert poll.note == "arrival" and post.when is not None
    assert post.when.holds({"arrival": "STATE=a CPU=1\n"})
    assert post.when.holds({"arrival": "STATE=unsupported\n"})
    assert not post.when.holds({"arrival": "STATE=d\n"})
    assert not post.when.holds({})


def test_begun_anew_only_when_nothing_has_arrived(context: Make) -> None:
    steps = migrate(context)
    for step in (steps[0], steps[2]):
        assert step.probe is not None and step.probe.again is not None
        assert lines([step.probe.step]) == ["vmm/lxc/poll one-7 node1 7 node1"]
        assert (step.probe.wanted.value, step.probe.again.value) == ("a", "d")


def test_what_the_drivers_read(context: Make) -> None:
    steps = migrate(context)
    command = steps[0].command("", 30)
    assert xmldoc.parse(base64.b64decode(command.stdin), "vm").tag == "VM"
    data = xmldoc.parse(steps[2].stdin, "data")
    assert {element.tag: element.text for element in data if element.text} == {
        "HOST": "node0",
        "MIGR_HOST": "node1",
        "DEPLOY_ID": "one-7",
        "TM_COMMAND": "MIGRATE ssh node0 node1 /ds/104/7 7 104\n",
        "DISK_TARGET_PATH": "/ds/104/7",
    }


def test_the_node_migrates_in_our_name(context: Make) -> None:
    steps = migrate(context)
    assert "ForwardAgent=yes" in steps[2].command("", 30).argv
    assert "ForwardAgent=yes" not in steps[1].command("", 30).argv


def test_simulated(context: Make) -> None:
    assert {step.driver for step in migrate(context, "dummy")} == {"dummy"}
