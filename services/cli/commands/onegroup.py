"""onegroup: groups."""

from __future__ import annotations

from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import GROUP
from services.cli.subs import delete_sub, list_sub, show_sub, top_sub, update_sub

_LIST = "services.cli.views.group:LIST"

COMMAND = Command(
    "onegroup",
    GROUP,
    "manages groups",
    [
        Sub(
            "create",
            "[group_name:name]",
            "add a group",
            options=(Opt("name", "name of the group", "name", "n"),),
            run="services.cli.commands.group_handlers:create",
        ),
        list_sub(_LIST),
        top_sub(_LIST),
        show_sub(GROUP, "services.cli.views.group:show", optional=True, options=()),
        delete_sub(GROUP),
        update_sub(GROUP),
        Sub(
            "addadmin",
            "groupid_list userid",
            "make a member an administrator",
            call=("group.addadmin", ID, Arg("userid")),
            done="administrator added",
        ),
        Sub(
            "deladmin",
            "groupid_list userid",
            "make an administrator a plain member",
            call=("group.deladmin", ID, Arg("userid")),
            done="administrator taken out",
        ),
    ],
)
