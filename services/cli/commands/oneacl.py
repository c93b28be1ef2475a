"""oneacl: access rules."""

from __future__ import annotations

from services.cli.decl import ID, Command, Sub
from services.cli.kinds import ACL
from services.cli.subs import list_sub, top_sub

_LIST = "services.cli.views.acl:LIST"


def _without_numeric(sub: Sub) -> Sub:
    """Rules name nobody, so there are no names to show as numbers."""
    sub.options = tuple(option for option in sub.options if option.name != "numeric")
    return sub


COMMAND = Command(
    "oneacl",
    ACL,
    "manages access rules: who may do what with which objects",
    [
        Sub(
            "create",
            "user|rulestr:text [resource:text] [rights:text] [zone:text]",
            'add a rule: "@100 VM+NET/* CREATE *" as one argument or as three or four; '
            "#id a user, @id a group, %id a cluster, * all",
            run="services.cli.commands.acl_handlers:create",
        ),
        Sub("delete", "range:aclid_list", "delete rules", call=("acl.delrule", ID), done="deleted"),
        _without_numeric(list_sub(_LIST)),
        _without_numeric(top_sub(_LIST)),
    ],
)
