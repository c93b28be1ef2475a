"""onevm: virtual machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.cli import listing, vm_options
from services.cli.decl import ID, Command, Opt, Sub
from services.cli.kinds import VM
from services.cli.subs import chown_subs, list_sub, rename_sub, show_sub, top_sub, update_sub

_LIST = "services.cli.views.vm:LIST"
_SEARCH = Opt("search", "machines whose attributes match, such as NAME=web", "search")
_HARD = Opt("hard", "do not wait for the guest: cut the power")
_LIST_OPTIONS = (listing.EXTENDED, listing.KILOBYTES)


def _action(name: str, help: str, done: str, *, hard: bool = False) -> Sub:
    """A subcommand that asks for one of the VM actions; --hard asks for its hard form."""
    wanted: str | Callable[[Any], str] = name
    if hard:

        def wanted(inv: Any) -> str:
            return f"{name}-hard" if inv.opts.hard else name

    return Sub(
        name, "vmid_list", help, options=(_HARD,) if hard else (), call=("vm.action", wanted, ID), done=done
    )


COMMAND = Command(
    "onevm",
    VM,
    "manages virtual machines",
    [
        Sub(
            "create",
            "[file]",
            "create machines from a template in a file, on standard input or in options",
            options=(*vm_options.OPTIONS, vm_options.HOLD, vm_options.MULTIPLE, vm_options.DRY),
            run="services.cli.commands.vm_handlers:create",
        ),
        list_sub(_LIST, "[filterflag:text]", (*_LIST_OPTIONS, _SEARCH)),
        top_sub(_LIST, "[filterflag:text]", _LIST_OPTIONS),
        show_sub(
            VM,
            "services.cli.views.vm_show:show",
            options=(
                Opt("decrypt", "show encrypted attributes decrypted"),
                Opt("all", "show the whole template"),
            ),
        ),
        Sub(
            "wait",
            "vmid",
            "wait until the machine is in a state",
            run="services.cli.commands.vm_handlers:wait",
            options=(
                Opt("state", "names of states, any of which ends the wait (RUNNING)", "x,y", type="words"),
                Opt("timeout", "give up after that many seconds", "seconds", type="seconds"),
            ),
            extra=True,
        ),
        Sub(
            "deploy",
            "vmid_list hostid [datastoreid]",
            "start on a host, without the scheduler",
            options=(
                Opt("enforce", "check that the host has room", short="e"),
                Opt("file", "file with attributes for the placement", "file", "f", "file"),
            ),
            run="services.cli.commands.vm_handlers:deploy",
            done="deployed",
        ),
        _action("hold", "keep the scheduler from placing them", "on hold"),
        _action("release", "let the scheduler place them", "released"),
        _action("poweroff", "power off; the host keeps the disks", "powering off", hard=True),
        _action("reboot", "reboot", "rebooting", hard=True),
        _action("resume", "run again after suspend, stop, poweroff or undeploy", "resuming"),
        _action("suspend", "save the memory on the host", "suspending"),
        _action("stop", "save the memory and leave the host", "stopping"),
        _action("undeploy", "shut down and leave the host", "undeploying", hard=True),
        _action("terminate", "shut down and delete", "terminating", hard=True),
        _action("resched", "ask the scheduler for another host", "to be rescheduled"),
        _action("unresched", "take that back", "not to be rescheduled"),
        Sub(
            "recover",
            "vmid_list",
            "get stuck machines going again; exactly one of the options is needed",
            options=(
                Opt("success", "go on as if the pending operation had succeeded"),
                Opt("failure", "go on as if it had failed"),
                Opt("retry", "do it again"),
                Opt("delete", "delete the machine, whatever its state"),
                Opt("recreate", "delete it and start again from pending"),
                Opt("delete-db", "only forget it; nothing is cleaned up"),
            ),
            call=("vm.recover", ID, lambda inv: _recovery(inv)),
            run="services.cli.commands.vm_handlers:recover",
            done="recovering",
        ),
        rename_sub(VM),
        update_sub(VM),
        *chown_subs(VM),
    ],
)


def _recovery(inv: Any) -> int:
    """The number of the recover operation that the options ask for (system interface, one.vm.recover)."""
    operations = {"failure": 0, "success": 1, "retry": 2, "delete": 3, "recreate": 4, "delete_db": 5}
    return next(number for option, number in operations.items() if getattr(inv.opts, option))
