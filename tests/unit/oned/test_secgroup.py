"""Security groups: rules, refusals, and how their VMs get changed rules."""

from __future__ import annotations

import pytest

from services.common.template import Template, Vector
from services.oned import fsck
from services.oned.drivers import plan
from services.oned.drivers.execute import Result
from services.oned.drivers.table import Drivers
from services.oned.engine import results
from services.oned.lifecycle import secgroup_update, secgroup_use
from services.oned.store import Tx, jobs
from services.oned.store.jobs import Job
from tests.support.core import Core, Refused

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL, ALLOCATE = 0x200, 0x400, 0x800, 0x2000, 0x4000
WEB = "NAME=web\nRULE=[PROTOCOL=TCP,RULE_TYPE=inbound,RANGE=80]"


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _rules(core: Core, oid: int) -> list[Vector]:
    return Template.from_element(core.info("secgroup.info", oid).find("TEMPLATE")).vectors("RULE")


# -- rules -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "rule",
    [
        "PROTOCOL=ALL,RULE_TYPE=OUTBOUND",
        'PROTOCOL=tcp,RULE_TYPE=Inbound,RANGE="22:25,80,443"',
        "PROTOCOL=UDP,RULE_TYPE=inbound,NETWORK_ID=99",
        "PROTOCOL=ICMP,RULE_TYPE=inbound,ICMP_TYPE=8",
        "PROTOCOL=ICMPV6,RULE_TYPE=inbound,ICMPV6_TYPE=128",
        "PROTOCOL=IPSEC,RULE_TYPE=inbound,IP=10.0.0.1,SIZE=5",
        'PROTOCOL=ALL,RULE_TYPE=inbound,IP="2001:db8::1",SIZE=1',
    ],
)
def test_rules(core: Core, rule: str) -> None:
    oid = core.call("secgroup.allocate", f"NAME=g\nRULE=[{rule}]")
    assert oid == 100
    assert _rules(core, oid) == Template.parse(f"RULE=[{rule}]").vectors("RULE")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("RULE_TYPE=inbound", "PROTOCOL"),
        ("PROTOCOL=SCTP,RULE_TYPE=inbound", "'SCTP'"),
        ("PROTOCOL=TCP", "RULE_TYPE"),
        ("PROTOCOL=TCP,RULE_TYPE=both", "'both'"),
        ("PROTOCOL=ICMP,RULE_TYPE=inbound,RANGE=80", "RANGE is supported only"),
        ("PROTOCOL=TCP,RULE_TYPE=inbound,RANGE=http", "RANGE"),
        ('PROTOCOL=TCP,RULE_TYPE=inbound,RANGE="1,"', "RANGE"),
        ("PROTOCOL=TCP,RULE_TYPE=inbound,ICMP_TYPE=8", "ICMP_TYPE is supported only"),
        ("PROTOCOL=ICMP,RULE_TYPE=inbound,ICMP_TYPE=echo", "'echo'"),
        ("PROTOCOL=ICMP,RULE_TYPE=inbound,ICMPV6_TYPE=1", "ICMPV6_TYPE is supported only"),
        ("PROTOCOL=ICMPV6,RULE_TYPE=inbound,ICMPV6_TYPE=x", "ICMPV6_TYPE"),
        ("PROTOCOL=ALL,RULE_TYPE=inbound,IP=10.0.0.1", "SIZE"),
        ("PROTOCOL=ALL,RULE_TYPE=inbound,IP=10.0.0,SIZE=5", "IP"),
        ("PROTOCOL=ALL,RULE_TYPE=inbound,NETWORK_ID=lan", "NETWORK_ID"),
    ],
)
def test_rules_that_are_refused(core: Core, rule: str, words: str) -> None:
    assert words in _refused(core, INTERNAL, "secgroup.allocate", f"NAME=g\nRULE=[{rule}]").text
    oid = core.call("secgroup.allocate", WEB)
    text = _refused(core, INTERNAL, "secgroup.update", oid, f"RULE=[{rule}]", 0).text
    assert words in text and "Cannot update template" in text
    assert [found["RANGE"] for found in _rules(core, oid)] == ["80"]


def test_a_rule_that_is_written_twice(core: Core) -> None:
    rules = "RULE=[PROTOCOL=ALL,RULE_TYPE=inbound]\nRULE=[RULE_TYPE=outbound,PROTOCOL=ALL]\n"
    oid = core.call("secgroup.allocate", f"NAME=g\n{rules}RULE=[RULE_TYPE=inbound,PROTOCOL=ALL]")
    assert [rule["RULE_TYPE"] for rule in _rules(core, oid)] == ["inbound", "outbound"]


# -- methods -----------------------------------------------------------------------------------------------
def test_methods(core: Core) -> None:
    ann = core.add_user("ann")
    core.add_user("bob")
    oid = core.call("secgroup.allocate", f"{WEB}\nDESCRIPTION=mine", user="ann")
    assert "taken by SECGROUP 100" in _refused(core, INTERNAL, "secgroup.allocate", WEB, user="ann").text
    _refused(core, INTERNAL, "secgroup.allocate", "A=b")
    _refused(core, INTERNAL, "secgroup.allocate", "NAME=[")
    copy = core.call("secgroup.clone", oid, "copy", user="ann")
    assert _rules(core, copy) == _rules(core, oid) and copy == 101
    _refused(core, ALLOCATE, "secgroup.clone", oid, "copy", user="ann")
    _refused(core, AUTHORIZATION, "secgroup.clone", oid, "theirs", user="bob")
    _refused(core, NO_EXISTS, "secgroup.clone", 77, "x")
    core.call("secgroup.rename", copy, "dmz", user="ann")
    core.call("secgroup.chmod", copy, -1, -1, -1, 1, -1, -1, -1, -1, -1, user="ann")
    core.call("secgroup.chown", oid, 0, -1)
    assert core.info("secgroup.info", oid).findtext("UNAME") == "oneadmin"
    _refused(core, AUTHORIZATION, "secgroup.update", oid, "A=b", 1, user="ann")
    listed = [group.findtext("NAME") for group in core.info("secgrouppool.info", -2, -1, -1, user="bob")]
    assert listed == ["dmz", "default"]
    core.call("secgroup.delete", copy, user="ann")
    assert "default security group" in _refused(core, ACTION, "secgroup.delete", 0).text
    _refused(core, NO_EXISTS, "secgroup.delete", copy)
    _refused(core, NO_EXISTS, "secgroup.commit", copy, False)
    assert ann == 2


# -- VMs ---------------------------------------------------------------------------------------------------
class Cloud:
    """A network whose cards are in the group ``web`` too, and VMs in it."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.web: int = core.call("secgroup.allocate", WEB)
        lan = "NAME=lan\nVN_MAD=dummy\nBRIDGE=b\nAR=[TYPE=IP4,IP=10.0.0.1,SIZE=200]"
        self.lan: int = core.call("vn.allocate", f"{lan}\nSECURITY_GROUPS={self.web}", -1)

    def vm(self, condition: tuple[int, int] = (2, 0)) -> int:
        """A VM with a card, put into a state as if it were on a host."""
        vm_id: int = self.core.call("vm.allocate", f"CPU=1\nMEMORY=1\nNIC=[NETWORK_ID={self.lan}]", True)
        state, lcm_state = condition
        record = (
            f"<HISTORY_RECORDS><HISTORY><OID>{vm_id}</OID><SEQ>0</SEQ><HOSTNAME>node</HOSTNAME><HID>0</HID>"
            "<CID>0</CID><VM_MAD><![CDATA[dummy]]></VM_MAD><TM_MAD><![CDATA[ssh]]></TM_MAD><DS_ID>0</DS_ID>"
            "</HISTORY></HISTORY_RECORDS>"
        )

        def change(tx: Tx) -> None:
            for old, new in (
                ("<STATE>2</STATE>", f"<STATE>{state}</STATE>"),
                ("<LCM_STATE>0</LCM_STATE>", f"<LCM_STATE>{lcm_state}</LCM_STATE>"),
                ("<HISTORY_RECORDS/>", record if state == 3 else "<HISTORY_RECORDS/>"),
            ):
                tx.run("UPDATE vm_pool SET body = REPLACE(body, ?, ?) WHERE oid = ?", old, new, vm_id)

        self.core.store.run(change)
        return vm_id

    def work(self, ok: bool = True) -> int:
        """End every job as an engine does; how many there were."""

        def turn(tx: Tx) -> int:
            claimed = jobs.claim(tx, 1, 1000)
            for job in claimed:
                results.apply(tx, 1, Result(job, ok, "" if ok else "no"))
            return len(claimed)

        total = 0
        while count := self.core.store.run(turn):
            total += count
        return total

    def lists(self) -> dict[str, list[int]]:
        """The group's VMs by list, without empty ones."""
        found = {}
        for name in ("UPDATED", "OUTDATED", "UPDATING", "ERROR"):
            ids = [
                int(vm.text or -1)
                for vm in self.core.info("secgroup.info", self.web).iterfind(f"{name}_VMS/ID")
            ]
            if ids:
                found[name] = ids
        return found

    def ports(self, vm_id: int) -> list[str]:
        """What the VM's document repeats of the group's rules."""
        template = Template.from_element(self.core.info("vm.info", vm_id).find("TEMPLATE"))
        rules = template.vectors("SECURITY_GROUP_RULE")
        return [rule["RANGE"] for rule in rules if rule["SECURITY_GROUP_ID"] == str(self.web)]


@pytest.fixture
def cloud(core: Core) -> Cloud:
    """See Cloud."""
    return Cloud(core)


def test_a_group_in_use(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    assert (cloud.lists(), cloud.ports(vm_id)) == ({"UPDATED": [vm_id]}, ["80"])
    assert "VMs using it" in _refused(cloud.core, ACTION, "secgroup.delete", cloud.web).text
    cloud.core.call("vm.recover", vm_id, 3)
    assert cloud.lists() == {}
    cloud.core.call("secgroup.delete", cloud.web)


def test_changed_rules_of_every_kind_of_vm(cloud: Cloud) -> None:
    held, running, booting, off = cloud.vm(), cloud.vm((3, 3)), cloud.vm((3, 2)), cloud.vm((8, 0))
    cloud.core.call("secgroup.update", cloud.web, "RULE=[PROTOCOL=TCP,RULE_TYPE=inbound,RANGE=443]", 0)
    assert cloud.lists() == {"UPDATED": [held, off], "UPDATING": [running], "ERROR": [booting]}
    assert [cloud.ports(vm_id) for vm_id in (held, running, booting, off)] == [
        ["443"],
        ["443"],
        ["80"],
        ["443"],
    ]
    rows = cloud.core.rows("SELECT oid, operation, driver, host, spec FROM onebox_job WHERE kind = 'VM'")
    assert rows == [(running, "vmm.UPDATE_SG", "dummy", "node", f'{{"sg_id":{cloud.web}}}')]
    assert cloud.work() == 1
    assert cloud.lists() == {"UPDATED": [held, running, off], "ERROR": [booting]}


def test_commit(cloud: Cloud) -> None:
    first, second = cloud.vm((3, 3)), cloud.vm((3, 3))
    cloud.core.add_user("ann")
    _refused(cloud.core, AUTHORIZATION, "secgroup.commit", cloud.web, True, user="ann")
    assert cloud.core.call("secgroup.commit", cloud.web, True) == cloud.web
    assert cloud.lists() == {"UPDATED": [first, second]} and cloud.work() == 0
    cloud.core.call("secgroup.commit", cloud.web, False)
    assert cloud.lists() == {"UPDATING": [first, second]}
    assert cloud.work(ok=False) == 2
    assert cloud.lists() == {"ERROR": [first, second]}
    cloud.core.call("secgroup.commit", cloud.web, True)
    assert cloud.work() == 2 and cloud.lists() == {"UPDATED": [first, second]}


def test_a_result_of_an_older_commit_does_not_count(cloud: Cloud) -> None:
    vm_id = cloud.vm((3, 3))
    cloud.core.call("secgroup.commit", cloud.web, False)
    [job] = cloud.core.store.run(lambda tx: jobs.claim(tx, 1, 10))
    cloud.core.store.run(lambda tx: secgroup_update.job_finished(tx, job, True, ""))
    assert cloud.lists() == {"UPDATED": [vm_id]}
    cloud.core.store.run(lambda tx: secgroup_update.job_finished(tx, job, False, "late"))
    assert cloud.lists() == {"UPDATED": [vm_id]}


def test_many_vms_are_left_to_the_engine(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secgroup_update, "BATCH", 3)
    vm_ids = [cloud.vm() for _ in range(8)]
    cloud.core.call("secgroup.update", cloud.web, "RULE=[PROTOCOL=TCP,RULE_TYPE=inbound,RANGE=443]", 0)
    assert cloud.lists() == {"UPDATED": vm_ids[:3], "OUTDATED": vm_ids[3:]}
    [waiting] = cloud.core.rows("SELECT kind, oid, operation FROM onebox_job WHERE kind <> 'HOST'")
    assert waiting == ("SECGROUP", cloud.web, "secgroup.UPDATE")
    job = Job(1, "SECGROUP", cloud.web, "secgroup.UPDATE", "", "", {}, 1, None, 0)
    with cloud.core.store.read() as tx:
        assert plan.steps(tx, job, Drivers(cloud.core.zone.conf)) == []
    cloud.work()
    assert cloud.lists() == {"UPDATED": vm_ids}
    assert {port for vm_id in vm_ids for port in cloud.ports(vm_id)} == {"443"}
    with cloud.core.store.read() as tx:
        assert fsck.check(tx) == []


def test_a_rule_about_a_network(cloud: Cloud) -> None:
    cloud.core.call("vn.add_ar", cloud.lan, "AR=[TYPE=ETHER,SIZE=3,MAC=02:00:00:00:00:01]")
    rule = f"RULE=[PROTOCOL=TCP,RULE_TYPE=inbound,NETWORK_ID={cloud.lan},RANGE=1]"
    cloud.core.call(
        "secgroup.update",
        cloud.web,
        f"{rule}\nRULE=[PROTOCOL=TCP,RULE_TYPE=inbound,NETWORK_ID=77,RANGE=2]",
        0,
    )
    template = Template.from_element(cloud.core.info("vm.info", cloud.vm()).find("TEMPLATE"))
    found = [each for each in template.vectors("SECURITY_GROUP_RULE") if each["SECURITY_GROUP_ID"] == "100"]
    assert [(each["AR_ID"], each["MAC"], each.get("IP"), each["SIZE"]) for each in found] == [
        ("0", "02:00:0a:00:00:01", "10.0.0.1", "200"),
        ("1", "02:00:00:00:00:01", None, "3"),
    ]
    assert found[0]["SECURITY_GROUP_NAME"] == "web" and found[0]["RANGE"] == "1"


def test_vms_come_and_go_in_any_order(cloud: Cloud) -> None:
    def come_and_go(tx: Tx) -> None:
        for vm_id in (7, 30, 12, 7):
            secgroup_use.add(tx, [cloud.web, 999], vm_id)
        secgroup_use.remove(tx, [999, cloud.web], 30)

    cloud.core.store.run(come_and_go)
    assert cloud.lists() == {"UPDATED": [7, 12]}

    def rewrite(tx: Tx) -> None:
        lists = "<UPDATED_VMS><ID>7</ID><ID>12</ID></UPDATED_VMS>"
        tx.run("UPDATE secgroup_pool SET body = REPLACE(body, ?, ?)", lists, "<UPDATED_VMS/>")
        secgroup_use.add(tx, [cloud.web], 9)

    cloud.core.store.run(rewrite)
    assert cloud.lists() == {"UPDATED": [9]}
