"""oneshowback: what machines cost, month by month."""

from __future__ import annotations

from services.cli.commands.oneacct import COLUMN_OPTIONS, GROUP, USER_FILTER
from services.cli.decl import Command, Opt, Sub
from services.cli.kinds import VM
from services.cli.subs import SHOW_OPTIONS

_HANDLERS = "services.cli.commands.acct_handlers"
_MONTHS = (
    Opt("start", "first month, as 03/2021", "TIME", "s", "date"),
    Opt("end", "last month", "TIME", "e", "date"),
)

COMMAND = Command(
    "oneshowback",
    VM,
    "computes and prints what machines cost in each month",
    [
        Sub(
            "list",
            "",
            "print the costs, a table for each month",
            options=(*_MONTHS, USER_FILTER, GROUP, *SHOW_OPTIONS, *COLUMN_OPTIONS),
            run=f"{_HANDLERS}:showback",
            view="services.cli.views.accounting:SHOWBACK",
        ),
        Sub(
            "calculate",
            "",
            "compute the costs of some months, or of all",
            options=_MONTHS,
            run=f"{_HANDLERS}:calculate",
        ),
    ],
)
