"""onehook: hooks."""

from __future__ import annotations

from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import HOOK
from services.cli.subs import (
    DRY,
    XML,
    create_sub,
    delete_sub,
    list_sub,
    lock_subs,
    rename_sub,
    show_sub,
    top_sub,
    update_sub,
)

_LIST = "services.cli.views.hook:LIST"

COMMAND = Command(
    "onehook",
    HOOK,
    "manages hooks: programs that are run at calls and changes of state",
    [
        create_sub(HOOK, "add a hook from a template in a file or on standard input", (DRY,)),
        list_sub(_LIST, "[filterflag:text]"),
        top_sub(_LIST, "[filterflag:text]"),
        show_sub(
            HOOK,
            "services.cli.views.hook:show",
            options=(
                Opt("execution", "one run: its command, arguments and output", "exeid", "e", "integer"),
                Opt("extended", "with all that the front-end knows of it"),
            ),
        ),
        Sub(
            "log",
            "",
            "list the runs of hooks",
            options=(
                Opt("hook-id", "runs of one hook", "id", type="integer"),
                Opt("since", "runs from that date on", "date", type="date"),
                Opt("until", "runs up to that date", "date", type="date"),
                Opt("error", "only failed runs"),
                Opt("success", "only successful runs"),
                XML,
            ),
            run="services.cli.commands.hook_handlers:log",
        ),
        Sub(
            "retry",
            "hookid execid:integer",
            "run again with the arguments of an earlier run",
            call=("hook.retry", ID, Arg("execid")),
            done="Retry executed",
        ),
        delete_sub(HOOK),
        rename_sub(HOOK),
        update_sub(HOOK),
        *lock_subs(HOOK),
    ],
)
