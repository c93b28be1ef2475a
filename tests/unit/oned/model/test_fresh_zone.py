"""What a fresh zone holds, row by row; the recorded answers check the documents."""

from __future__ import annotations

import base64
import csv
import zlib
from pathlib import Path

from tests.support.core import Core

COUNTERS = {
    "acl": 5,
    "user_pool": 1,
    "group_pool": 99,
    "cluster_pool": 99,
    "datastore_pool": 99,
    "secgroup_pool": 99,
    "vdc_pool": 99,
    "zone_pool": 99,
    "marketplace_pool": 99,
}


def test_counters(core: Core) -> None:
    assert dict(core.rows("SELECT tablename, last_oid FROM pool_control")) == COUNTERS


def test_versions_and_the_log(core: Core) -> None:
    assert core.rows("SELECT oid, version FROM db_versioning") == [(0, "6.0.0")]
    assert core.rows("SELECT oid, version, is_slave FROM local_db_versioning") == [(0, "6.0.0", 0)]
    ((index, term, command, when, fed_index, applied),) = core.rows("SELECT * FROM logdb")
    assert (index, term, fed_index, applied) == (0, 0, 2.0**64, 1)
    assert zlib.decompress(base64.b64decode(command)).decode() == str(when)


def test_bitmaps(core: Core) -> None:
    for table, length in (("network_vlan_bitmap", 4096), ("cluster_vnc_bitmap", 65536)):
        ((oid, bits),) = core.rows(f"SELECT id, map FROM {table}")
        assert oid == 0
        assert zlib.decompress(base64.b64decode(bits)) == b"0" * length


def test_quota_rows_and_attributes(core: Core) -> None:
    assert core.rows("SELECT user_oid FROM user_quotas ORDER BY 1") == [(0,), (1,)]
    assert core.rows("SELECT group_oid FROM group_quotas ORDER BY 1") == [(0,), (1,)]
    names = [name for (name,) in core.rows("SELECT name FROM system_attributes ORDER BY 1")]
    assert names == ["DEFAULT_GROUP_QUOTAS", "DEFAULT_USER_QUOTAS", "RAFT_STATE"]


def test_datastores_lie_in_the_default_cluster(core: Core) -> None:
    assert core.rows("SELECT cid, oid FROM cluster_datastore_relation ORDER BY 2") == [(0, 0), (0, 1), (0, 2)]


def test_owner_columns(core: Core) -> None:
    columns = "oid, uid, gid, owner_u, group_u, other_u"
    expected = {
        "user_pool": [(0, 0, 0, 1, 0, 0), (1, 1, 0, 1, 0, 0)],
        "group_pool": [(0, 0, 0, 1, 1, 0), (1, 0, 1, 1, 1, 0)],
        "cluster_pool": [(0, 0, 0, 1, 0, 0)],
        "datastore_pool": [(oid, 0, 0, 1, 1, 0) for oid in range(3)],
        "zone_pool": [(0, 0, 0, 1, 0, 0)],
        "vdc_pool": [(0, 0, 0, 1, 0, 0)],
        "secgroup_pool": [(0, 0, 0, 1, 1, 1)],
        "marketplace_pool": [(oid, 0, 0, 1, 1, 1) for oid in range(4)],
    }
    for table, rows in expected.items():
        assert core.rows(f"SELECT {columns} FROM {table} ORDER BY oid") == rows, table


def test_every_id_that_the_tables_of_facts_name(core: Core, shared_folder: Path) -> None:
    """The next id of each pool, and the last id of each counter, as the facts of the release say."""
    facts = list(csv.DictReader((shared_folder / "spec/bootstrap_objects.csv").open()))
    counters = {
        row["id"] or row["name"]: int(row["value"]) for row in facts if row["object"] == "pool_control"
    }
    assert counters == COUNTERS
    rules = core.rows("SELECT oid, userset, resource, rights, zone FROM acl ORDER BY oid")
    for oid, *numbers in rules:
        named = {
            row["attribute"]: row["value"]
            for row in facts
            if row["object"] == "acl" and row["id"] == str(oid)
        }
        assert numbers == [int(named[part], 16) for part in ("USER", "RESOURCE", "RIGHTS", "ZONE")]
    assert len(rules) == 6
