"""oneuser: users."""

from __future__ import annotations

from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import USER
from services.cli.subs import delete_sub, list_sub, show_sub, top_sub, update_sub

_LIST = "services.cli.views.user:LIST"
_HANDLERS = "services.cli.commands.user_handlers"
_READ_FILE = Opt("read-file", "the password argument names a file that holds it", short="r")
_DRIVER = Opt("driver", "driver that checks the credentials (core)", "driver")
_SHA256 = Opt("sha256", "send the password's SHA-256 instead of itself")


COMMAND = Command(
    "oneuser",
    USER,
    "manages users",
    [
        Sub(
            "create",
            "username:name [password:text]",
            "add a user; without a password it is asked for",
            options=(_READ_FILE, _DRIVER, _SHA256, Opt("group", "primary group", "id|name", type="groupid")),
            run=f"{_HANDLERS}:create",
        ),
        list_sub(_LIST),
        top_sub(_LIST),
        show_sub(USER, "services.cli.views.user:show", optional=True, options=()),
        delete_sub(USER),
        update_sub(USER),
        Sub(
            "passwd",
            "userid [password:text]",
            "change the password; without one it is asked for",
            options=(_READ_FILE, _SHA256),
            run=f"{_HANDLERS}:passwd",
            done="password changed",
        ),
        Sub(
            "chauth",
            "userid [auth:text] [password:text]",
            "change the driver that checks the credentials",
            options=(_READ_FILE, _DRIVER, _SHA256),
            run=f"{_HANDLERS}:chauth",
            done="driver changed",
        ),
        Sub(
            "chgrp",
            "userid_list groupid",
            "change the primary group",
            call=("user.chgrp", ID, Arg("groupid")),
            done="Group changed",
        ),
        Sub(
            "addgroup",
            "userid_list groupid",
            "add a secondary group",
            call=("user.addgroup", ID, Arg("groupid")),
            done="group added",
        ),
        Sub(
            "delgroup",
            "userid_list groupid",
            "take out of a secondary group",
            call=("user.delgroup", ID, Arg("groupid")),
            done="group deleted",
        ),
        Sub("enable", "userid_list", "let them log in", call=("user.enable", ID, True), done="enabled"),
        Sub(
            "disable",
            "userid_list",
            "keep them from logging in",
            call=("user.enable", ID, False),
            done="disabled",
        ),
    ],
)
