"""The tables: OpenNebula 6.0's own, so that its databases can be taken over, and ours (``onebox_``).

Source: the schema of release 6.0.0.3. Types are written once and translated to the dialect.
"""

from __future__ import annotations

import re

from services.oned.store.db import Tx

# Every pool shares these columns; extra ones are listed beside the table.
_POOL = (
    "oid INTEGER PRIMARY KEY, name VARCHAR(128), body MEDIUMTEXT, {extra}uid INTEGER, gid INTEGER, "
    "owner_u INTEGER, group_u INTEGER, other_u INTEGER{tail}"
)

_POOLS: dict[str, tuple[str, str]] = {
    # table: (columns after body, columns and constraints at the end)
    "cluster_pool": ("", ", UNIQUE(name)"),
    "datastore_pool": ("", ""),
    "document_pool": ("type INTEGER, ", ""),
    "group_pool": ("", ", UNIQUE(name)"),
    "hook_pool": ("", ", type INTEGER"),
    "host_pool": ("state INTEGER, ", ", cid INTEGER"),
    "image_pool": ("", ", UNIQUE(name, uid)"),
    "marketplace_pool": ("", ""),
    "marketplaceapp_pool": ("", ", UNIQUE(name, uid)"),
    "network_pool": ("", ", pid INTEGER, UNIQUE(name, uid)"),
    "secgroup_pool": ("", ", UNIQUE(name, uid)"),
    "template_pool": ("", ""),
    "user_pool": ("", ", UNIQUE(name)"),
    "vdc_pool": ("", ", UNIQUE(name)"),
    "vmgroup_pool": ("", ", UNIQUE(name, uid)"),
    "vn_template_pool": ("", ""),
    "vrouter_pool": ("", ""),
    "zone_pool": ("", ", UNIQUE(name)"),
}

_TABLES: dict[str, str] = {
    "acl": "oid INT PRIMARY KEY, userset BIGINT, resource BIGINT, rights BIGINT, zone BIGINT, "
    "UNIQUE(userset, resource, rights, zone)",
    "cluster_datastore_relation": "cid INTEGER, oid INTEGER, PRIMARY KEY(cid, oid)",
    "cluster_network_relation": "cid INTEGER, oid INTEGER, PRIMARY KEY(cid, oid)",
    "cluster_vnc_bitmap": "id INTEGER, map LONGTEXT, PRIMARY KEY(id)",
    "db_versioning": "oid INTEGER PRIMARY KEY, version VARCHAR(256), timestamp INTEGER, comment VARCHAR(256)",
    "group_quotas": "group_oid INTEGER PRIMARY KEY, body MEDIUMTEXT",
    "history": "vid INTEGER, seq INTEGER, body MEDIUMTEXT, stime INTEGER, etime INTEGER, "
    "PRIMARY KEY(vid, seq)",
    "hook_log": "hkid INTEGER, exeid INTEGER, timestamp INTEGER, rc INTEGER, body MEDIUMTEXT, "
    "PRIMARY KEY(hkid, exeid)",
    "host_monitoring": "hid INTEGER, last_mon_time INTEGER, body MEDIUMTEXT, PRIMARY KEY(hid, last_mon_time)",
    "local_db_versioning": "oid INTEGER PRIMARY KEY, version VARCHAR(256), timestamp INTEGER, "
    "comment VARCHAR(256), is_slave BOOLEAN",
    "logdb": "log_index BIGINT UNSIGNED PRIMARY KEY, term INTEGER, sqlcmd MEDIUMTEXT, timestamp INTEGER, "
    "fed_index BIGINT UNSIGNED, applied BOOLEAN",
    "network_vlan_bitmap": "id INTEGER, map LONGTEXT, PRIMARY KEY(id)",
    "pool_control": "tablename VARCHAR(32) PRIMARY KEY, last_oid BIGINT UNSIGNED",
    "system_attributes": "name VARCHAR(128) PRIMARY KEY, body MEDIUMTEXT",
    "user_quotas": "user_oid INTEGER PRIMARY KEY, body MEDIUMTEXT",
    "vm_import": "deploy_id VARCHAR(128), vmid INTEGER, PRIMARY KEY(deploy_id)",
    "vm_monitoring": "vmid INTEGER, last_poll INTEGER, body MEDIUMTEXT, PRIMARY KEY(vmid, last_poll)",
    "vm_pool": "oid INTEGER PRIMARY KEY, name VARCHAR(128), body MEDIUMTEXT, uid INTEGER, gid INTEGER, "
    "state INTEGER, lcm_state INTEGER, owner_u INTEGER, group_u INTEGER, other_u INTEGER, "
    "short_body MEDIUMTEXT, search_token MEDIUMTEXT",
    "vm_showback": "vmid INTEGER, year INTEGER, month INTEGER, body MEDIUMTEXT, "
    "PRIMARY KEY(vmid, year, month)",
    "onebox_job": "id {autoincrement}, kind VARCHAR(16) NOT NULL, oid INTEGER NOT NULL, "
    "operation VARCHAR(64) NOT NULL, driver VARCHAR(64) NOT NULL, host VARCHAR(255) NOT NULL, "
    "spec MEDIUMTEXT NOT NULL, state INTEGER NOT NULL, attempt INTEGER NOT NULL, token BIGINT, "
    "created INTEGER NOT NULL, not_before INTEGER NOT NULL, deadline INTEGER, timeout_s INTEGER",
    "onebox_due": "vm_id INTEGER NOT NULL, seq INTEGER NOT NULL, due_at BIGINT NOT NULL, "
    "not_before BIGINT NOT NULL, tries INTEGER NOT NULL, PRIMARY KEY(vm_id, seq)",
    "onebox_event": "id {autoincrement}, time INTEGER NOT NULL, kind VARCHAR(16) NOT NULL, "
    "object VARCHAR(16) NOT NULL, oid INTEGER NOT NULL, payload MEDIUMTEXT NOT NULL",
    "onebox_versioning": "oid INTEGER PRIMARY KEY, version INTEGER NOT NULL, timestamp INTEGER NOT NULL, "
    "comment VARCHAR(256) NOT NULL",
    "onebox_lease": "name VARCHAR(64) PRIMARY KEY, holder VARCHAR(255) NOT NULL, token BIGINT NOT NULL, "
    "expires_at DOUBLE NOT NULL",
}

_INDEXES = {
    "state_oid_idx": "vm_pool(state, oid)",
    "fed_index_idx": "logdb(fed_index)",
    "applied_idx": "logdb(applied)",
    "onebox_job_state_idx": "onebox_job(state, id)",
    "onebox_job_object_idx": "onebox_job(kind, oid)",
    "onebox_due_time_idx": "onebox_due(not_before)",
    "onebox_event_time_idx": "onebox_event(time)",
    "onebox_event_object_idx": "onebox_event(object, oid)",
}

_OUTSIDE_BRACKETS = re.compile(r", (?![^(]*\))")
_LITE_TYPES = {"MEDIUMTEXT": "TEXT", "LONGTEXT": "TEXT", "BIGINT UNSIGNED": "BIGINT", "DOUBLE": "REAL"}


def table_names() -> list[str]:
    """Every table of the schema, OpenNebula's and ours."""
    return sorted([*_POOLS, *_TABLES])


def statements(dialect: str) -> list[str]:
    """The statements that create what is missing; safe to run again."""
    made = []
    for table, columns in _columns().items():
        if dialect == "mysql":
            columns = columns.replace("{autoincrement}", "INTEGER PRIMARY KEY AUTO_INCREMENT")
            if table == "vm_pool":
                columns += ", FULLTEXT ftidx(search_token), KEY state_oid_idx(state, oid)"
            suffix = " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
        else:
            columns = columns.replace("{autoincrement}", "INTEGER PRIMARY KEY AUTOINCREMENT")
            for ours, theirs in _LITE_TYPES.items():
                columns = columns.replace(ours, theirs)
            suffix = ""
        made.append(f"CREATE TABLE IF NOT EXISTS {table} ({columns}){suffix}")
    for name, target in _INDEXES.items():
        if dialect == "mysql" and name == "state_oid_idx":
            continue  # part of the table there, as in OpenNebula
        made.append(f"CREATE INDEX IF NOT EXISTS {name} ON {target}")
    return made


def definition(table: str, names: list[str]) -> str | None:
    """The statement that makes this release's table in SQLite, when it has exactly these columns."""
    ours = _columns().get(table)
    if ours is None or sorted(_names(ours)) != sorted(names):
        return None
    start = f"CREATE TABLE IF NOT EXISTS {table} ("
    return next(statement for statement in statements("sqlite") if statement.startswith(start))


def _columns() -> dict[str, str]:
    pools = {table: _POOL.format(extra=extra, tail=tail) for table, (extra, tail) in _POOLS.items()}
    return {**pools, **_TABLES}


def exists(tx: Tx, table: str) -> bool:
    """Whether a table is there."""
    if tx.dialect == "mysql":
        found = tx.one(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
            table,
        )
    else:
        found = tx.one("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", table)
    return found is not None


def tables(tx: Tx) -> list[str]:
    """Every table that is there, by name."""
    if tx.dialect == "mysql":
        rows = tx.all(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY table_name"
        )
    else:
        rows = tx.all(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
        )
    return [str(row[0]) for row in rows]


def columns(tx: Tx, table: str) -> list[str]:
    """The columns of a table, in order; empty when it is not there."""
    if tx.dialect == "mysql":
        rows = tx.all(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position",
            table,
        )
    else:
        rows = tx.all("SELECT name FROM pragma_table_info(?)", table)
    return [str(row[0]) for row in rows]


def problems(tx: Tx) -> list[str]:
    """What the tables lack of this release's, or have besides; empty when they are its own."""
    found = []
    for table, definition in sorted(_columns().items()):
        wanted, there = _names(definition), columns(tx, table)
        if not there:
            found.append(f"table {table} is missing")
        elif sorted(there) != sorted(wanted):
            found.append(f"table {table} has columns {', '.join(there)}, expected {', '.join(wanted)}")
    return found


def _names(definition: str) -> list[str]:
    """The columns of a table as written above."""
    return [
        part.split()[0]
        for part in _OUTSIDE_BRACKETS.split(definition)
        if not part.startswith(("PRIMARY KEY", "UNIQUE"))
    ]


def create(tx: Tx) -> None:
    """Create every table and index that is missing."""
    for statement in statements(tx.dialect):
        tx.run(statement)
