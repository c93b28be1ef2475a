"""onehost: hosts."""

from __future__ import annotations

from services.cli import listing
from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import HOST
from services.cli.subs import delete_sub, list_sub, rename_sub, show_sub, top_sub, update_sub

_LIST = "services.cli.views.host:LIST"
_ENABLED, _DISABLED, _OFFLINE = 0, 1, 2  # status argument of one.host.status


def _status(name: str, help: str, status: int, done: str) -> Sub:
    return Sub(name, "hostid_list", help, call=("host.status", ID, status), done=done)


COMMAND = Command(
    "onehost",
    HOST,
    "manages hosts",
    [
        Sub(
            "create",
            "hostname:name",
            "add a host",
            options=(
                Opt("im", "driver that monitors it", "im_mad", "i"),
                Opt("vm", "driver that runs machines on it", "vmm_mad", "v"),
                Opt("type", "provider of a rented host; drivers are named after it", "remote_provider", "t"),
                Opt("cluster", "cluster that it joins", "id|name", "c", "clusterid"),
            ),
            call=(
                "host.allocate",
                Arg("hostname"),
                lambda inv: inv.opts.im or inv.opts.type or "",
                lambda inv: inv.opts.vm or inv.opts.type or "",
                lambda inv: -1 if inv.opts.cluster is None else inv.opts.cluster,
            ),
            result="ID",
        ),
        list_sub(_LIST, options=(listing.KILOBYTES,)),
        top_sub(_LIST, options=(listing.KILOBYTES,)),
        show_sub(HOST, "services.cli.views.host:show"),
        delete_sub(HOST),
        _status("enable", "let machines be placed on them", _ENABLED, "enabled"),
        _status("disable", "place no new machines on them; monitoring goes on", _DISABLED, "disabled"),
        _status("offline", "place no machines and do not monitor", _OFFLINE, "offline"),
        rename_sub(HOST),
        update_sub(HOST),
    ],
)
