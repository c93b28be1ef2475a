"""VDCs, permission rules, quotas."""

from __future__ import annotations

from services.oned.model import acl
from tests.support.breaks.base import Break, body, sql


def _rule(oid: int, user: int, resource: int, zone: int) -> str:
    return f"INSERT INTO acl VALUES ({oid}, {user}, {resource}, 1, {zone})"


RIGHTS = (
    Break(
        "a VDC of what does not exist",
        body(
            "vdc_pool",
            100,
            ("<GROUPS><ID>100</ID></GROUPS>", "<GROUPS><ID>99</ID><ID>100</ID></GROUPS>"),
            (
                "<HOST_ID>0</HOST_ID>",
                "<HOST_ID>0</HOST_ID></HOST><HOST><ZONE_ID>7</ZONE_ID><HOST_ID>1</HOST_ID>",
            ),
        ),
        (
            "VDC 100: has groups [99], which do not exist",
            "VDC 100: HOSTS has 1 of zone 7, which does not exist",
        ),
    ),
    Break(
        "rules about what does not exist",
        sql(
            # ids up to 80 were given out once
            "UPDATE pool_control SET last_oid = 80 WHERE tablename IN ('user_pool', 'image_pool')",
            _rule(70, acl.INDIVIDUAL | 77, acl.kinds("VM") | acl.ALL, acl.ALL),
            _rule(71, acl.GROUP | 50, acl.kinds("VM") | acl.ALL, acl.ALL),
            _rule(72, acl.ALL, acl.kinds("VM") | acl.ALL, acl.INDIVIDUAL | 7),
            _rule(73, acl.ALL, acl.kinds("VM") | acl.GROUP | 60, acl.ALL),
            _rule(74, acl.ALL, acl.kinds("IMAGE") | acl.INDIVIDUAL | 41, acl.INDIVIDUAL),
            _rule(75, acl.ALL, acl.kinds("HOST") | acl.CLUSTER | 60, acl.INDIVIDUAL),
            # not wrong: an image that may still come, and a host of another zone
            _rule(76, acl.ALL, acl.kinds("IMAGE") | acl.INDIVIDUAL | 99, acl.INDIVIDUAL),
            "UPDATE pool_control SET last_oid = 80 WHERE tablename = 'acl'",
        ),
        (
            "permission rule 70 (#77 VM/* USE *): it is for user 77, which does not exist",
            "permission rule 71 (@50 VM/* USE *): it is for group 50, which does not exist",
            "permission rule 72 (* VM/* USE #7): it is for zone 7, which does not exist",
            "permission rule 73 (* VM/@60 USE *): it is on objects of group 60, which does not exist",
            "permission rule 74 (* IMAGE/#41 USE #0): it is on image 41, which does not exist",
            "permission rule 75 (* HOST/%60 USE #0): it is on objects of cluster 60, which does not exist",
        ),
    ),
    Break(
        "what a user uses",
        body(
            "user_quotas",
            2,
            ("<VMS_USED><![CDATA[1]]></VMS_USED></VM>", "<VMS_USED><![CDATA[5]]></VMS_USED></VM>"),
            ("<LEASES_USED><![CDATA[1]]>", "<LEASES_USED><![CDATA[0]]>"),
            ("<SIZE_USED><![CDATA[1024]]>", "<SIZE_USED><![CDATA[1]]>"),
            key="user_oid",
        ),
        (
            "user 2: quota DATASTORE 100 SIZE_USED is 1, the objects say 1024",
            "user 2: quota NETWORK 0 LEASES_USED is 0, the objects say 1",
            "user 2: quota VM VMS_USED is 5, the objects say 1",
        ),
    ),
    Break(
        "what a group uses of what it does not have",
        body(
            "group_quotas",
            100,
            (
                "<IMAGE_QUOTA>",
                "<IMAGE_QUOTA><IMAGE><ID><![CDATA[9]]></ID><RVMS><![CDATA[-1]]></RVMS>"
                "<RVMS_USED><![CDATA[3]]></RVMS_USED></IMAGE>",
            ),
            ("<CPU_USED><![CDATA[0.50]]>", "<CPU_USED><![CDATA[7.25]]>"),
            key="group_oid",
        ),
        (
            "group 100: quota IMAGE 9 RVMS_USED is 3, the objects say 0",
            "group 100: quota VM CPU_USED is 7.25, the objects say 0.50",
        ),
    ),
)
