"""onegroup: groups."""

from __future__ import annotations

from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import GROUP
from services.cli.subs import delete_sub, list_sub, quota_subs, show_sub, top_sub, update_sub

_LIST = "services.cli.views.group:LIST"

COMMAND = Command(
    "onegroup",
    GROUP,
    "manages groups",
    [
        Sub(
            "create",
            "[group_name:name]",
            "add a group, with an administrator where options describe one",
            options=(
                Opt("name", "name of the group", "name", "n"),
                Opt("admin_user", "name of an administrator to create", "name", "u"),
                Opt("admin_password", "the administrator's password; asked for when left out", "pass", "p"),
                Opt("admin_driver", "driver that checks the administrator's credentials", "driver", "d"),
                Opt(
                    "resources",
                    "sorts of objects that members may create "
                    "(VM+IMAGE+TEMPLATE+DOCUMENT+SECGROUP+VROUTER+VMGROUP)",
                    "res_str",
                    "r",
                ),
            ),
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
            done="admin added",
        ),
        Sub(
            "deladmin",
            "groupid_list userid",
            "make an administrator a plain member",
            call=("group.deladmin", ID, Arg("userid")),
            done="admin deleted",
        ),
        *quota_subs(GROUP),
    ],
)
