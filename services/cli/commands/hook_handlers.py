"""What onehook does beyond a single call."""

from __future__ import annotations

from typing import Any

from services.cli import dates, documents
from services.cli.errors import CliError
from services.cli.views import hook

_ALL, _SUCCESSFUL, _FAILED = 0, 1, -1  # filters of one.hooklog.info


def log(inv: Any) -> int:
    """Print the runs of hooks that the options choose."""
    opts = inv.opts
    if opts.error and opts.success:
        raise CliError("onehook log: --error and --success exclude each other.")
    since, until = dates.epoch_s(opts.since), dates.epoch_s(opts.until)
    hook_id = -1 if opts.hook_id is None else opts.hook_id
    result = _FAILED if opts.error else _SUCCESSFUL if opts.success else _ALL
    text = inv.call("hooklog.info", since, until, hook_id, result)
    if opts.xml:
        inv.print_document(text)
        return 0
    runs = documents.parse(text).findall("HOOK_EXECUTION_RECORD")
    if runs:
        inv.page(hook.runs_table(runs, with_hook=True, styled=inv.is_styled))
    return 0
