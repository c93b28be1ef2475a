"""oneacct: what machines used, and when."""

from __future__ import annotations

from services.cli.decl import Command, Opt, Sub
from services.cli.kinds import VM
from services.cli.subs import JSON, XML

USER_FILTER = Opt("userfilter", "machines of that user", "user", "u", "userid")
GROUP = Opt("group", "machines of that group", "group", "g", "groupid")
COLUMN_OPTIONS = (
    Opt("describe", "explain the columns"),
    Opt("list", "columns to show, in this order", "x,y,z", "l", "words"),
    Opt("csv", "print comma-separated values"),
)

COMMAND = Command(
    "oneacct",
    VM,
    "prints the history records of machines: where they ran, and what they used",
    [
        Sub(
            "",
            "",
            "print history records, a table for each user",
            options=(
                Opt("start", "records that end after it", "TIME", "s", "date"),
                Opt("end", "records that begin before it; a date means its end", "TIME", "e", "date"),
                USER_FILTER,
                GROUP,
                Opt("host", "records of that host", "HOST", "H", "hostid"),
                Opt("xpath", "records that an XPath finds, as HISTORY[ETIME>0]", "XPATH_EXPRESSION"),
                Opt("split", "a table for each machine"),
                XML,
                JSON,
                Opt("yaml", "print the records as YAML", short="y", extra=True),
                *COLUMN_OPTIONS,
            ),
            run="services.cli.commands.acct_handlers:accounting",
            view="services.cli.views.accounting:ACCOUNTING",
        ),
    ],
)
