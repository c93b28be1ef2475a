"""How hooks and their runs are listed and shown."""

from __future__ import annotations

import time
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, units
from services.cli.documents import number_of, text_of
from services.cli.errors import CliError
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, lock_text, loose_table, plain

LIST = ListView(
    kinds.HOOK,
    [
        Column("ID", "number of the hook", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 19, plain("NAME"), left=True, expand=-1),
        Column("TYPE", "api or state", 8, plain("TYPE"), left=True),
    ],
    "ID NAME TYPE",
)

_RUN_NAMES = ("HOOK", "ID", "TIMESTAMP", "RC", "EXECUTION")


def runs_table(runs: list[Element], *, with_hook: bool, styled: bool) -> list[str]:
    """Runs as a table; ``with_hook``: of several hooks."""
    first = 0 if with_hook else 1
    rows = [_run_row(run)[first:] for run in runs]
    return loose_table(_RUN_NAMES[first:], rows, styled)


def _run_row(run: Element) -> list[str]:
    code = text_of(run, "EXECUTION_RESULT/CODE")
    when = number_of(run, "TIMESTAMP")
    moment = time.strftime("%m/%d %H:%M", time.localtime(when)) if when else "-"
    return [
        text_of(run, "HOOK_ID"),
        text_of(run, "EXECUTION_ID"),
        f"{moment:>15}",
        code,
        "SUCCESS" if code in ("", "0") else "ERROR",
    ]


def show(hook: Element, inv: Any) -> list[str]:
    """The lines of ``onehook show``, or of one of its runs. Raises CliError when there is no such run."""
    page = Page(inv, 18)
    page.head(f"HOOK {text_of(hook, 'ID')} INFORMATION")
    for name in ("ID", "NAME", "TYPE"):
        page.field(name, text_of(hook, name))
    page.field("LOCK", lock_text(hook))
    page.blank()
    runs = hook.findall("HOOKLOG/HOOK_EXECUTION_RECORD")
    if inv.opts.execution is not None:
        wanted = str(inv.opts.execution)
        run = next((run for run in runs if run.findtext("EXECUTION_ID") == wanted), None)
        if run is None:
            raise CliError(f"HOOK {text_of(hook, 'ID')}: there is no execution record {wanted}.")
        _run(page, run)
        return page.lines
    page.template("HOOK TEMPLATE", hook.find("TEMPLATE"))
    if runs:
        page.blank()
        page.head("EXECUTION LOG", 0)
        page.add(runs_table(runs, with_hook=False, styled=inv.is_styled))
    page.blank()
    return page.lines


def _run(page: Page, run: Element) -> None:
    result = run.find("EXECUTION_RESULT")
    result = run if result is None else result
    page.head("HOOK EXECUTION RECORD", underlined=True)
    page.field("EXECUTION ID", text_of(run, "EXECUTION_ID"))
    page.field("TIMESTAMP", units.moment(number_of(run, "TIMESTAMP")))
    page.field("COMMAND", text_of(result, "COMMAND"))
    words = text_of(run, "ARGUMENTS") or text_of(run, "ARGUMENT")
    page.field("ARGUMENTS", "".join(f"{_plain(word)} " for word in words.split()))
    page.field("EXIT CODE", text_of(result, "CODE"))
    page.blank()
    for tag in ("STDOUT", "STDERR"):
        page.head(f"EXECUTION {tag}", underlined=True)
        output = _plain(text_of(result, tag))
        if output:
            page.add(output.rstrip("\n").split("\n"))
        page.blank()


def _plain(text: str) -> str:
    """A text that may be base64, as arguments and output of hooks are kept."""
    import base64
    import binascii

    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return text
