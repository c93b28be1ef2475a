"""Columns, counters, users and groups, rows without an object."""

from __future__ import annotations

from tests.support.breaks.base import Break, body, both, sql

DOCUMENTS = (
    Break(
        "a name",
        sql("UPDATE template_pool SET name = 'other' WHERE oid = 0"),
        ("virtual machine template 0: column name is 'other', the document says 't'",),
    ),
    Break(
        "owner and permissions",
        sql("UPDATE image_pool SET uid = 7, other_u = 1 WHERE oid = 2"),
        ("image 2: column uid is 7, the document says 2; column other_u is 1, the document says 0",),
    ),
    Break(
        "the state of a VM",
        sql("UPDATE vm_pool SET state = 6 WHERE oid = 1"),
        ("virtual machine 1: column state is 6, the document says 3",),
        has_more=True,
    ),
    Break(
        "the state of a VM that has ended",
        sql("UPDATE vm_pool SET lcm_state = 3 WHERE oid = 3"),
        ("virtual machine 3: column lcm_state is 3, the document says 0",),
    ),
    Break(
        "the short form of a VM",
        sql("UPDATE vm_pool SET short_body = '<VM><ID>1</ID></VM>' WHERE oid = 1"),
        (
            "virtual machine 1: column short_body is 'of another state or owner', "
            "the document says 'another one'",
        ),
    ),
    Break(
        "the group of a user",
        sql("UPDATE user_pool SET gid = 1 WHERE oid = 3"),
        ("user 3: column gid is 1, the document says 100",),
    ),
    Break(
        "the cluster of a host",
        sql("UPDATE host_pool SET cid = 100 WHERE oid = 1"),
        ("host 1: column cid is 100, the document says 0",),
    ),
    Break(
        "the parent of a reservation",
        sql("UPDATE network_pool SET pid = -1 WHERE oid = 2"),
        ("virtual network 2: column pid is -1, the document says 0",),
    ),
    Break(
        "a counter",
        sql("UPDATE pool_control SET last_oid = 1 WHERE tablename = 'vm_pool'"),
        ("vm_pool: the newest id is 3, the counter stands at 1",),
    ),
    Break(
        "no counter",
        sql("DELETE FROM pool_control WHERE tablename = 'user_pool'"),
        ("user_pool: the newest id is 3, there is no counter",),
    ),
    Break(
        "the counter of rules",
        sql("UPDATE pool_control SET last_oid = 2 WHERE tablename = 'acl'"),
        ("acl: the newest id is 13, the counter stands at 2",),
    ),
    Break(
        "a group that does not know its user",
        body(
            "group_pool", 100, ("<USERS><ID>2</ID><ID>3</ID></USERS>", "<USERS><ID>2</ID><ID>9</ID></USERS>")
        ),
        ("group 100: USERS are [2, 9], the users say [2, 3]",),
    ),
    Break(
        "an administrator who is no member",
        body("group_pool", 100, ("<ADMINS><ID>2</ID></ADMINS>", "<ADMINS><ID>1</ID><ID>2</ID></ADMINS>")),
        ("group 100: ADMINS lists [1], who are not members",),
    ),
    Break(
        "a primary group that is not among the groups",
        body("user_pool", 3, ("<GROUPS><ID>1</ID><ID>100</ID></GROUPS>", "<GROUPS><ID>1</ID></GROUPS>")),
        ("user 3: GROUPS [1] lack the primary group 100",),
        has_more=True,
    ),
    Break(
        "a group that does not exist",
        body("user_pool", 3, ("<GROUPS><ID>1</ID>", "<GROUPS><ID>1</ID><ID>55</ID>")),
        ("user 3: is in group 55, which does not exist",),
    ),
    Break(
        "a primary group that does not exist",
        both(
            body("user_pool", 3, ("<GID>100</GID>", "<GID>55</GID>")),
            sql("UPDATE user_pool SET gid = 55 WHERE oid = 3"),
        ),
        ("user 3: its primary group 55 does not exist",),
    ),
    Break(
        "no quota document of a user",
        sql("DELETE FROM user_quotas WHERE user_oid = 3"),
        ("user 3: has no quota document",),
    ),
    Break(
        "rows of objects that do not exist",
        sql(
            "INSERT INTO history (vid, seq, body, stime, etime) VALUES (99, 0, '<HISTORY/>', 1, 2)",
            "INSERT INTO vm_import (deploy_id, vmid) VALUES ('one-3', 3)",
            "INSERT INTO user_quotas (user_oid, body) VALUES (99, '<QUOTAS><ID>99</ID></QUOTAS>')",
            "INSERT INTO group_quotas (group_oid, body) VALUES (99, '<QUOTAS><ID>99</ID></QUOTAS>')",
            "INSERT INTO hook_log (hkid, exeid, timestamp, rc, body) VALUES (99, 0, 7, 0, '')",
            "INSERT INTO cluster_vnc_bitmap (id, map) SELECT 99, map FROM cluster_vnc_bitmap WHERE id = 100",
        ),
        (
            "history: has rows of virtual machine 99, which does not exist",
            "vm_import: has rows of virtual machine 3, which does not exist",
            "user_quotas: has rows of user 99, which does not exist",
            "group_quotas: has rows of group 99, which does not exist",
            "hook_log: has rows of hook 99, which does not exist",
            "cluster_vnc_bitmap: has rows of cluster 99, which does not exist",
        ),
    ),
)
