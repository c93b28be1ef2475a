"""History records, driver work, lists of machines."""

from __future__ import annotations

import re

from services.oned.store import Tx, jobs
from tests.support.breaks.base import Break, Spoil, body, both, sql


def _job(kind: str, oid: int) -> Spoil:
    return lambda tx: jobs.add(tx, kind=kind, oid=oid, operation="ds.RM", driver="dummy", host="")


def _open_record(tx: Tx) -> None:
    row = tx.one("SELECT body FROM history WHERE vid = 3")
    assert row is not None
    text = re.sub("<(R?ETIME)>[1-9][0-9]*<", r"<\1>0<", row[0])
    assert text != row[0]
    tx.run("UPDATE history SET etime = 0, body = ? WHERE vid = 3", text)


MACHINES = (
    Break(
        "no row of the newest record",
        sql("DELETE FROM history WHERE vid = 1"),
        ("virtual machine 1: history record 0 is in its document only",),
    ),
    Break(
        "a row of a newer record",
        sql(
            "INSERT INTO history (vid, seq, body, stime, etime) "
            "SELECT 1, 1, REPLACE(body, '<SEQ>0', '<SEQ>1'), stime, 0 FROM history WHERE vid = 1",
            "UPDATE history SET etime = 9 WHERE vid = 1 AND seq = 0",
        ),
        ("virtual machine 1: the newest history record is 1, its document has 0",),
    ),
    Break(
        "a record that is closed in its row only",
        sql("UPDATE history SET stime = 5, etime = 9 WHERE vid = 1"),
        (
            "virtual machine 1: history record 0 lasts from 5 to 9, "
            "in its document from {stime} to 0 (0: open)",
        ),
    ),
    Break(
        "an open record of a VM that has ended",
        _open_record,
        ("virtual machine 3: history record 0 is open, but the machine has ended",),
    ),
    Break(
        "an open record before the newest",
        sql("UPDATE history SET etime = 0 WHERE vid = 2 AND seq = 0"),
        ("virtual machine 2: history record 0 is open, but there is a newer one",),
    ),
    Break(
        "driver work for what does not exist",
        both(_job("IMAGE", 99), _job("VM", 3)),
        (
            "job for image 99, which does not exist",
            "job for virtual machine 3, which does not exist or has ended",
        ),
    ),
    Break(
        "the roles of a VM group",
        body("vmgroup_pool", 0, ("<VMS><![CDATA[1]]></VMS>", "<VMS><![CDATA[2,77]]></VMS>")),
        ("vm group 0: role a lists the VMs [2, 77], the VMs say [1]",),
    ),
    Break(
        "the machines of a virtual router",
        body("vrouter_pool", 0, ("<VMS><ID>0</ID></VMS>", "<VMS><ID>0</ID><ID>1</ID></VMS>")),
        ("virtual router 0: lists the VMs [1], which are not its machines",),
    ),
    Break(
        "the machines of a security group",
        body("secgroup_pool", 100, ("<UPDATED_VMS><ID>1</ID>", "<UPDATED_VMS><ID>2</ID>")),
        ("security group 100: lists the virtual machines [2], those that use it are [1]",),
    ),
    Break(
        "a machine that a security group lists twice",
        body("secgroup_pool", 100, ("<ERROR_VMS></ERROR_VMS>", "<ERROR_VMS><ID>1</ID></ERROR_VMS>")),
        ("security group 100: lists a virtual machine in two states",),
    ),
)
