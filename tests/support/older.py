"""Turning the database of the zone of breakable.py into one of an older release, as that release kept it."""

from __future__ import annotations

import json
import re

from services.oned.store import Tx, pools, schema

_NEWER = ("onebox_job", "onebox_due", "onebox_event", "onebox_versioning", "onebox_lease")
# What OneFlow of release 5.10 kept of a service.
SERVICE = {
    "name": "s",
    "custom_attrs": {"NET": "M|network|x"},
    "custom_attrs_values": {"NET": "0"},
    "roles": [
        {"name": "r", "nodes": [{"vm_info": {"VM": {"ID": "1", "NAME": "n", "TEMPLATE": {"CPU": "1"}}}}]}
    ],
}
_HOST_SAMPLE = (
    "<HOST><ID>0</ID><STATE>2</STATE><LAST_MON_TIME>100</LAST_MON_TIME><HOST_SHARE><FREE_CPU>390</FREE_CPU>"
    "<FREE_MEM>7000</FREE_MEM><USED_CPU>10</USED_CPU><USED_MEM>1000</USED_MEM></HOST_SHARE>"
    "<TEMPLATE><NETRX><![CDATA[5]]></NETRX><NETTX><![CDATA[6]]></NETTX></TEMPLATE></HOST>"
)
_VM_SAMPLE = (
    "<VM><ID>1</ID><LAST_POLL>200</LAST_POLL><STATE>3</STATE><TEMPLATE/>"
    "<MONITORING><CPU><![CDATA[1.5]]></CPU><MEMORY><![CDATA[4096]]></MEMORY></MONITORING></VM>"
)


def to_5_12(tx: Tx) -> None:
    """Images say in several places what they are; the newest history record has an old owner."""
    for table in _NEWER:
        tx.run(f"DROP TABLE {table}")
    for oid, body in tx.all("SELECT oid, body FROM image_pool ORDER BY oid"):
        body = re.sub("<FORMAT>.*?</FORMAT>|<FS>.*?</FS>|<FS/>|<PREV_STATE>.*?</PREV_STATE>", "", body)
        if oid == 0:
            body = body.replace("<TEMPLATE>", "<TEMPLATE><DRIVER><![CDATA[qcow2]]></DRIVER>")
        elif oid == 1:
            body = body.replace("<SIZE>", "<FSTYPE>ext4</FSTYPE><SIZE>", 1)
        pools.update(tx, "image_pool", oid, {"body": body})
    row = tx.one("SELECT body FROM history WHERE vid = 1")
    assert row is not None and "<VM><ID>1</ID><UID>" in row[0]
    old = re.sub(
        "(<VM><ID>1</ID>)<UID>.*?</UID><GID>.*?</GID><UNAME>.*?</UNAME><GNAME>.*?</GNAME>",
        r"\1<UID>7</UID><GID>8</GID><UNAME>old</UNAME><GNAME>olds</GNAME>",
        row[0],
    )
    tx.run("UPDATE history SET body = ? WHERE vid = 1", old)
    _mark(tx, "5.12.0")


def to_5_10(tx: Tx) -> None:
    """Samples in the documents of their objects, another name in the rules, fewer marketplaces."""
    to_5_12(tx)
    if tx.dialect == "mysql":
        tx.run("ALTER TABLE acl CHANGE userset `user` BIGINT")
    else:
        tx.run("ALTER TABLE acl RENAME COLUMN userset TO user")
    tx.run("ALTER TABLE host_pool ADD COLUMN last_mon_time INTEGER")
    tx.run("ALTER TABLE vm_pool ADD COLUMN last_poll INTEGER")
    tx.run("DELETE FROM marketplace_pool WHERE oid = 3")
    for oid, body in tx.all("SELECT oid, body FROM host_pool"):
        share = (
            "<HOST_SHARE><DISK_USAGE>3</DISK_USAGE><FREE_DISK>40</FREE_DISK><MAX_DISK>50</MAX_DISK>"
            "<USED_DISK>10</USED_DISK><FREE_CPU>1</FREE_CPU><FREE_MEM>1</FREE_MEM>"
            "<USED_CPU>1</USED_CPU><USED_MEM>1</USED_MEM>"
        )
        body = re.sub("<DATASTORES>.*?</DATASTORES>", "<DATASTORES></DATASTORES>", body)
        body = body.replace("<HOST_SHARE>", f"<LAST_MON_TIME>9</LAST_MON_TIME>{share}")
        body = body.replace("<TEMPLATE>", "<TEMPLATE><NETRX><![CDATA[1]]></NETRX>").replace(
            "<MONITORING/>", ""
        )
        pools.update(tx, "host_pool", oid, {"body": body})
    for oid, body in tx.all("SELECT oid, body FROM vm_pool"):
        body = re.sub("<LAST_POLL>.*?</LAST_POLL>", "<LAST_POLL>77</LAST_POLL>", body)
        body = re.sub(
            "<MONITORING>.*?</MONITORING>|<MONITORING/>", "<MONITORING><CPU>1</CPU></MONITORING>", body
        )
        pools.update(tx, "vm_pool", oid, {"body": body, "short_body": "<VM/>"})
    row = tx.one("SELECT body FROM document_pool WHERE oid = 0")
    assert row is not None
    body = row[0].replace("<TEMPLATE>", f"<TEMPLATE><BODY><![CDATA[{json.dumps(SERVICE)}]]></BODY>")
    pools.update(tx, "document_pool", 0, {"body": body})
    tx.run("INSERT INTO host_monitoring (hid, last_mon_time, body) VALUES (0, 100, ?)", _HOST_SAMPLE)
    tx.run("INSERT INTO vm_monitoring (vmid, last_poll, body) VALUES (1, 200, ?)", _VM_SAMPLE)
    _mark(tx, "5.10.0")


def _mark(tx: Tx, version: str) -> None:
    for table in ("db_versioning", "local_db_versioning"):
        tx.run(f"UPDATE {table} SET version = ?, comment = 'made'", version)
    assert "onebox_job" not in schema.tables(tx)
