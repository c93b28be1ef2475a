"""Host methods: creation with its monitoring job, states, monitoring data, deletion."""

from __future__ import annotations

import pytest

from services.common.template import Template
from services.oned.model.host import Host
from services.oned.monitor.host import apply_host_report
from tests.support.core import Core, Refused

REPORT = Template.parse(
    "TOTALCPU=400\nTOTALMEMORY=4000\nFREECPU=300\nUSEDCPU=100\nFREEMEMORY=1\nUSEDMEMORY=3999\nARCH=arm"
)


@pytest.fixture
def host(core: Core) -> int:
    """A host of the default cluster, not monitored yet."""
    oid: int = core.call("host.allocate", "n1", "dummy", "dummy", 0)
    return oid


def _report(core: Core, host: int, now_s: int) -> None:
    core.store.run(lambda tx: apply_host_report(tx, host, True, REPORT, "", now_s))


def _jobs(core: Core) -> list[tuple[object, ...]]:
    return core.rows("SELECT kind, oid, operation, driver, host FROM onebox_job")


def _finish_jobs(core: Core) -> None:
    core.store.run(lambda tx: tx.run("DELETE FROM onebox_job"))


def test_a_new_host_is_monitored_at_once(core: Core, host: int) -> None:
    assert _jobs(core) == [("HOST", host, "im.MONITOR", "dummy", "n1")]
    assert core.rows("SELECT object, oid FROM onebox_event WHERE kind = 'STATE'") == [("HOST", host)]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("n1", "dummy", "dummy", 0), 0x2000, "NAME is already taken by HOST 0."),
        (("", "dummy", "dummy", 0), 0x2000, "Invalid NAME, it cannot be empty"),
        (("a;b", "dummy", "dummy", 0), 0x2000, "char ';' is not allowed"),
        (("n2", "", "dummy", 0), 0x2000, "IM_MAD_NAME cannot be empty."),
        (("n2", "dummy", "", 0), 0x2000, "VMM_MAD_NAME cannot be empty."),
        (("n2", "dummy", "dummy", 55), 0x400, "Error getting cluster [55]."),
    ],
)
def test_hosts_that_cannot_be_made(
    core: Core, host: int, args: tuple[object, ...], code: int, message: str
) -> None:
    before = core.call("hostpool.info"), core.call("clusterpool.info"), _jobs(core)
    with pytest.raises(Refused) as refusal:
        core.call("host.allocate", *args)
    assert refusal.value.code == code and message in refusal.value.text
    assert (core.call("hostpool.info"), core.call("clusterpool.info"), _jobs(core)) == before


def test_states_and_their_jobs(core: Core, host: int) -> None:
    _finish_jobs(core)
    _report(core, host, 1000)

    def shown() -> tuple[str | None, str | None]:
        document = core.info("host.info", host)
        return document.findtext("STATE"), document.findtext("HOST_SHARE/TOTAL_CPU")

    assert shown() == ("2", "400")
    core.call("host.status", host, 1)
    assert shown() == ("4", "400") and _jobs(core) == []
    core.call("host.status", host, 0)
    assert shown() == ("0", "400") and len(_jobs(core)) == 1
    core.call("host.status", host, 2)
    assert shown() == ("8", "0") and _jobs(core) == []
    assert core.info("host.info", host).findtext("MONITORING/CAPACITY/USED_CPU") == "0"
    core.call("host.status", host, 1)  # out of offline: monitored again, but not used
    assert shown() == ("4", "0") and len(_jobs(core)) == 1
    core.call("host.status", host, 0)
    assert len(_jobs(core)) == 1
    states = core.rows("SELECT payload FROM onebox_event WHERE object = 'HOST' ORDER BY id")
    assert [payload.split(",")[0] for (payload,) in states] == [
        f'{{"state":{n}' for n in (0, 2, 4, 0, 8, 4, 0)
    ]


@pytest.mark.parametrize("status", [-1, 3, 9])
def test_a_wrong_status(core: Core, host: int, status: int) -> None:
    with pytest.raises(Refused, match="Wrong status code") as refusal:
        core.call("host.status", host, status)
    assert refusal.value.code == 0x2000


def test_monitoring_data(core: Core, host: int) -> None:
    other = core.call("host.allocate", "n2", "dummy", "dummy", 0)
    assert core.call("host.monitoring", host) == "<MONITORING_DATA></MONITORING_DATA>"
    assert core.info("host.info", host).find("MONITORING/TIMESTAMP") is None
    for oid, now_s in ((host, 1000), (host, 1060), (other, 1030)):
        _report(core, oid, now_s)

    def times(method: str, *args: int) -> list[str]:
        return [f"{m.findtext('ID')}@{m.findtext('TIMESTAMP')}" for m in core.info(method, *args)]

    assert core.info("host.info", host).findtext("MONITORING/TIMESTAMP") == "1060"
    assert times("host.monitoring", host) == ["0@1000", "0@1060"]
    assert times("hostpool.monitoring") == times("hostpool.monitoring", -1) == ["0@1000", "0@1060", "1@1030"]
    assert times("hostpool.monitoring", 0) == ["0@1060", "1@1030"]
    assert times("hostpool.monitoring", 60) == []
    assert len(times("hostpool.monitoring", 2**31 - 1)) == 3
    # The list carries no samples, as OpenNebula's.
    assert "<MONITORING/>" in core.call("hostpool.info")


def test_monitoring_data_of_visible_hosts_only(core: Core, host: int) -> None:
    _report(core, host, 1000)
    core.add_user("ann", 0)
    uid = core.add_user("bob")
    core.call("vdc.info", 0)
    # Members of "users" may manage hosts through the default VDC; a user of another group sees none.
    group = core.call("group.allocate", "strangers")
    for rule in core.info("acl.info").findall("ACL"):
        if "HOST" in (rule.findtext("STRING") or ""):
            core.call("acl.delrule", int(rule.findtext("ID") or 0))
    core.call("user.chgrp", uid, group)
    assert core.call("hostpool.monitoring", user="bob") == "<MONITORING_DATA></MONITORING_DATA>"
    assert core.call("hostpool.info", user="bob") == "<HOST_POOL></HOST_POOL>"
    assert "TIMESTAMP" in core.call("hostpool.monitoring", user="ann")
    with pytest.raises(Refused) as refusal:
        core.call("host.monitoring", host, user="bob")
    assert refusal.value.code == 0x200


def test_update_keeps_drivers(core: Core, host: int) -> None:
    core.call("host.update", host, 'PRIORITY="3"', 0)
    template = core.info("host.info", host).find("TEMPLATE")
    assert template is not None
    assert {part.tag: part.text for part in template} == {
        "IM_MAD": "dummy",
        "PRIORITY": "3",
        "VM_MAD": "dummy",
    }
    core.call("host.update", host, "<TEMPLATE><RACK>r1</RACK></TEMPLATE>", 1)
    assert core.info("host.info", host).findtext("TEMPLATE/RACK") == "r1"
    for text, update_type, code in (("A = [", 1, 0x2000), ("A=1", 2, 0x1000)):
        with pytest.raises(Refused) as refusal:
            core.call("host.update", host, text, update_type)
        assert refusal.value.code == code


def test_rename(core: Core, host: int) -> None:
    core.call("host.allocate", "n2", "dummy", "dummy", 0)
    with pytest.raises(
        Refused, match="host cannot be renamed to n1 because it collides with host 0"
    ) as refusal:
        core.call("host.rename", 1, "n1")
    assert refusal.value.code == 0x800
    with pytest.raises(Refused) as refusal:
        core.call("host.rename", 1, "a/b")
    assert refusal.value.code == 0x800
    assert core.call("host.rename", 1, "n2") == 1
    assert core.call("host.rename", 1, "n3") == 1
    core.add_user("bob")
    assert core.call("host.rename", 1, "n3", user="bob") == 1  # the name that it has needs no right
    with pytest.raises(Refused) as refusal:
        core.call("host.rename", 1, "n4", user="bob")
    assert refusal.value.code == 0x200
    assert core.rows("SELECT name FROM host_pool WHERE oid = 1") == [("n3",)]


def test_deletion(core: Core, host: int) -> None:
    _report(core, host, 1000)

    def occupy(vm_id: int | None) -> None:
        def work(tx: object) -> None:
            found = Host.load(tx, host)  # type: ignore[arg-type]
            found.add_vm(5, 10, 10) if vm_id else found.remove_vm(5, 10, 10)
            found.save(tx)  # type: ignore[arg-type]

        core.store.run(work)

    occupy(5)
    with pytest.raises(Refused, match="Can not remove a host with running VMs") as refusal:
        core.call("host.delete", host)
    assert refusal.value.code == 0x800
    occupy(None)
    assert core.call("host.delete", host) == host
    assert core.call("hostpool.info") == "<HOST_POOL></HOST_POOL>"
    assert "<HOSTS></HOSTS>" in core.call("cluster.info", 0)
    assert _jobs(core) == [] and core.rows("SELECT * FROM host_monitoring") == []
    with pytest.raises(Refused) as refusal:
        core.call("host.info", host)
    assert refusal.value.code == 0x400
