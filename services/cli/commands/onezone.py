"""onezone: zones of a federation."""

from __future__ import annotations

from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import ZONE
from services.cli.subs import create_sub, delete_sub, list_sub, rename_sub, show_sub, top_sub, update_sub

_LIST = "services.cli.views.zone:LIST"
_HANDLERS = "services.cli.commands.zone_handlers"

COMMAND = Command(
    "onezone",
    ZONE,
    "manages zones of a federation and their servers",
    [
        create_sub(ZONE, "add a zone from a template in a file or on standard input"),
        list_sub(_LIST),
        top_sub(_LIST),
        show_sub(ZONE, "services.cli.views.zone:show", options=()),
        delete_sub(ZONE),
        rename_sub(ZONE),
        update_sub(ZONE),
        Sub(
            "server-add",
            "zoneid",
            "add a server to a zone",
            options=(
                Opt("name", "name of the server", "server_name", "n"),
                Opt("rpc", "address of its XML-RPC interface", "rpc endpoint", "r"),
            ),
            run=f"{_HANDLERS}:server_add",
            done="server added",
        ),
        Sub(
            "server-del",
            "zoneid serverid:integer",
            "remove a server from a zone",
            call=("zone.delserver", ID, Arg("serverid")),
            done="server deleted",
        ),
        Sub(
            "server-reset",
            "zoneid serverid:integer",
            "send the whole log to a server again",
            call=("zone.resetserver", ID, Arg("serverid")),
            done="server reset",
        ),
        Sub(
            "set",
            "zoneid",
            "let the commands of this account talk to a zone from now on",
            options=(Opt("keep", "only print the variable that does so for one shell", short="k"),),
            run=f"{_HANDLERS}:use",
        ),
        Sub(
            "serversync",
            "server:text",
            "take over the configuration of another server; not here: see the message",
            options=(Opt("db", "also its database"),),
            run=f"{_HANDLERS}:serversync",
        ),
    ],
)
