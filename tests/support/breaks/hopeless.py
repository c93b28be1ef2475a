"""What only a person can decide."""

from __future__ import annotations

from tests.support.breaks.base import Break, body, both, sql

HOPELESS = (
    Break(
        "a name that another object has",
        body("image_pool", 1, ("<NAME>kept<", "<NAME>os<")),
        ("image 1: column name is 'kept', the document says 'os'",),
    ),
    Break(
        "a document that cannot be read",
        sql("UPDATE host_pool SET body = '<HOST><ID>1</ID>' WHERE oid = 1"),
        ("host 1: its document cannot be read: HOST: not well-formed",),
    ),
    Break(
        "a document in the wrong place",
        body("image_pool", 2, ("<ID>2</ID>", "<ID>3</ID>")),
        ("image 2: its document is that of 3",),
    ),
    Break(
        "a VM that nobody works on",
        both(
            body("vm_pool", 1, ("<LCM_STATE>3<", "<LCM_STATE>12<")),
            sql(
                "UPDATE vm_pool SET lcm_state = 12, short_body = REPLACE(short_body, '<LCM_STATE>3<', "
                "'<LCM_STATE>12<') WHERE oid = 1"
            ),
        ),
        ("virtual machine 1: is in SHUTDOWN, but no driver works on it",),
    ),
    Break(
        "two machines with one VNC port",
        both(
            body(
                "vm_pool",
                2,
                ("<MEMORY><![CDATA[64]]>", "<GRAPHICS><PORT>5901</PORT></GRAPHICS><MEMORY><![CDATA[64]]>"),
            ),
        ),
        ("cluster 0: VNC port 5901 is held by virtual machines [1, 2]",),
    ),
    Break(
        "two machines with one address",
        body(
            "vm_pool",
            2,
            (
                "<MEMORY><![CDATA[64]]>",
                "<MEMORY><![CDATA[64]]></MEMORY><NIC><AR_ID>0</AR_ID><NETWORK_ID>0</NETWORK_ID>"
                "<MAC>02:00:0a:00:00:05</MAC></NIC><MEMORY><![CDATA[64]]>",
            ),
        ),
        (
            "virtual network 0: address 02:00:0a:00:00:05 of virtual machine 2 is not recorded in the "
            "network: virtual machine 1 has it, too",
        ),
    ),
    Break(
        "an image that is gone",
        both(sql("DELETE FROM image_pool WHERE oid = 0")),
        ("image 0 does not exist, but virtual machines [1] use it",),
        has_more=True,
    ),
    Break(
        "LDAP names that differ in case only",
        both(
            body("user_pool", 2, ("<AUTH_DRIVER><![CDATA[core]]>", "<AUTH_DRIVER><![CDATA[ldap]]>")),
            body(
                "user_pool",
                3,
                ("<AUTH_DRIVER><![CDATA[core]]>", "<AUTH_DRIVER><![CDATA[ldap]]>"),
                ("<NAME>bob<", "<NAME>ALICE<"),
            ),
            sql("UPDATE user_pool SET name = 'ALICE' WHERE oid = 3"),
        ),
        ("users 2 (alice), 3 (ALICE): LDAP does not tell their names apart; rename or delete all but one",),
        on_sqlite_only=True,
    ),
)
