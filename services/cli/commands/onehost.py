"""onehost: hosts."""

from __future__ import annotations

from services.cli import listing, vm_options
from services.cli.decl import ID, Command, Opt, Sub
from services.cli.kinds import HOST
from services.cli.subs import JSON, delete_sub, list_sub, rename_sub, show_sub, top_sub, update_sub

_LIST = "services.cli.views.host:LIST"
_HOST = "services.cli.commands.host_handlers"
_ENABLED, _DISABLED, _OFFLINE = 0, 1, 2  # status argument of one.host.status
_LIST_OPTIONS = (listing.EXTENDED, listing.KILOBYTES)
_CLUSTER = Opt("cluster", "the hosts of this cluster", "id|name", "c", "clusterid")


def _status(name: str, help: str, status: int, done: str) -> Sub:
    return Sub(name, "hostid_list", help, call=("host.status", ID, status), done=done)


COMMAND = Command(
    "onehost",
    HOST,
    "manages hosts",
    [
        Sub(
            "create",
            "hostname:name [file]",
            "add a host; a file has attributes of a rented one",
            options=(
                Opt("im", "driver that monitors it", "im_mad", "i"),
                Opt("vm", "driver that runs machines on it", "vmm_mad", "v"),
                Opt("type", "provider of a rented host; drivers are named after it", "remote_provider", "t"),
                Opt("cluster", "cluster that it joins", "id|name", "c", "clusterid"),
            ),
            run=f"{_HOST}:create",
        ),
        list_sub(_LIST, options=_LIST_OPTIONS),
        top_sub(_LIST, options=_LIST_OPTIONS),
        show_sub(HOST, "services.cli.views.host_show:show"),
        delete_sub(HOST),
        _status("enable", "let machines be placed on them", _ENABLED, "enabled"),
        _status("disable", "place no new machines on them; monitoring goes on", _DISABLED, "disabled"),
        _status("offline", "place no machines and do not monitor", _OFFLINE, "offline"),
        Sub(
            "flush",
            "hostid_list",
            "disable, and move their machines to other hosts",
            run=f"{_HOST}:flush",
            done="flushed",
        ),
        Sub(
            "forceupdate",
            "[hostid_list]",
            "monitor again at once",
            options=(_CLUSTER,),
            run=f"{_HOST}:forceupdate",
        ),
        Sub(
            "sync",
            "[hostid_list]",
            "copy the drivers of the front-end to hosts that have older ones",
            options=(
                _CLUSTER,
                Opt("force", "also where they are up to date"),
                Opt("ssh", "copy with ssh instead of rsync"),
            ),
            run="services.cli.commands.host_sync:sync",
        ),
        Sub(
            "importvm",
            "hostid name",
            "take over a machine that runs on a host already",
            run=f"{_HOST}:import_vm",
            done="imported",
        ),
        Sub(
            "explain",
            "hostid_list",
            "which waiting machines these hosts get, and what keeps the others away; changes nothing",
            options=(
                vm_options.CPU,
                vm_options.MEMORY,
                Opt("host-down", "as if these hosts were down", "hosts", type="hostid_list"),
                JSON,
            ),
            run="services.cli.commands.host_explain:explain",
            extra=True,
        ),
        Sub(
            "monitoring",
            "hostid attr:text",
            "draw what was measured: USED_CPU, FREE_CPU, USED_MEMORY, FREE_MEMORY, NETRX or NETTX",
            options=(
                Opt("start", "from this moment on", "date", type="time"),
                Opt("end", "until this moment", "date", type="time"),
                Opt("unit", "unit of memory: K, M, G (default) or T", "unit"),
                Opt("n", "number of records (8)", "elements", type="count"),
                Opt("table", "print a table"),
                Opt("csv", "print values with this separator", "separator"),
            ),
            run="services.cli.commands.host_monitoring:monitoring",
        ),
        rename_sub(HOST),
        update_sub(HOST),
    ],
)
