"""A database of a real OpenNebula 6.0.0.3 is taken over as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from services.oned import fsck
from tests.service.conftest import mysql_section
from tests.support.mariadb import MariaDb
from tests.support.schemas import Schemas
from tests.support.zone import SESSION, Zone

POOLS = (
    ("userpool", ()),
    ("grouppool", ()),
    ("clusterpool", ()),
    ("hostpool", ()),
    ("datastorepool", ()),
    ("vdcpool", ()),
    ("zonepool", ()),
    ("marketpool", ()),
    ("imagepool", (-2, -1, -1)),
    ("vnpool", (-2, -1, -1)),
    ("templatepool", (-2, -1, -1)),
    ("secgrouppool", (-2, -1, -1)),
    ("vmgrouppool", (-2, -1, -1)),
    ("vrouterpool", (-2, -1, -1)),
    ("vntemplatepool", (-2, -1, -1)),
    ("hookpool", (-2, -1, -1)),
    ("marketapppool", (-2, -1, -1)),
    ("vmpool", (-2, -1, -1, -2)),
    ("documentpool", (-2, -1, -1, 100)),
)
# Real documents of these do not fit the schemas that were published with the release.
NOT_FITTING = ("vnpool", "vmgrouppool")


@pytest.mark.parametrize("dump", ["admin", "vms"])
def test_a_dump_is_read(shared_folder: Path, mariadb: MariaDb, tmp_path: Path, dump: str) -> None:
    name = f"one_adopted_{dump}"
    section = mysql_section(mariadb, name)
    text = (shared_folder / f"dumps/opennebula-6.0.0.3-{dump}.sql").read_text()
    mariadb.sql(f"USE {name};\n{text}")
    zone = Zone(tmp_path, section)
    assert zone.store.run(fsck.check) == [], "OpenNebula counts as the check does"
    schemas = Schemas(shared_folder / "spec/xsd")
    with zone.store.read() as tx:
        stored = {table: tx.all(f"SELECT oid FROM {table}") for table in ("user_pool", "group_pool", "acl")}
    problems = []
    for method, args in POOLS:
        document = zone.value(f"one.{method}.info", *args, session=SESSION)
        problem = schemas.problem(document)
        if problem and method not in NOT_FITTING:
            problems.append(f"{method}: {problem}")
    assert not problems
    users = etree.fromstring(zone.value("one.userpool.info"))
    assert len(users.findall("USER")) == len(stored["user_pool"])
    assert len(etree.fromstring(zone.value("one.acl.info"))) == len(stored["acl"])
    gid = zone.value("one.group.allocate", "newcomers")
    assert gid > max(oid for (oid,) in stored["group_pool"])
    uid = zone.value("one.user.allocate", "newcomer", "x", "core", [gid])
    assert uid > max(oid for (oid,) in stored["user_pool"])
    assert zone.value("one.user.info", -1, session="newcomer:x")
    zone.close()
