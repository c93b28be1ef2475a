"""What bootstrap would do, as text: files, owners, modes, and what would change in them; secrets hidden."""

from __future__ import annotations

import difflib
import grp
import pwd
from collections.abc import Callable, Collection, Iterator

from bootstrap import files, params
from bootstrap.context import Context
from bootstrap.files import Planned
from bootstrap.steps import Step

_DIFF_LINES_MAX = 60
_HIDDEN = "(hidden)"


def explain(context: Context, todo: Collection[Step], print_line: Callable[[str], None]) -> None:
    """Go through the steps without touching anything. Raises what a step raises."""
    with files.planning() as plan:
        for step in todo:
            print_line(f"[{step.name}]")
            done = len(plan.changes)
            context.say = lambda text: print_line(f"  {text}")
            step.action(context)
            for change in plan.changes[done:]:
                for line in _lines(change, _secrets(context)):
                    print_line(f"  {line}")


def _secrets(context: Context) -> list[str]:
    known = [context.settings[param.name] for param in params.PARAMS if param.secret]
    if context.mysql is not None:
        known += [context.mysql.password, context.mysql.root_password]
    return [value for value in known if value]


def _lines(change: Planned, secrets: Collection[str]) -> Iterator[str]:
    what = "folder" if change.text is None else "new file" if change.before is None else "change"
    yield f"{what} {change.path} (mode {change.mode:04o}{_owner(change)})"
    # What only its owner may read is nothing to show, whatever it is.
    if change.text is None or change.before is None or not change.mode & 0o077:
        return
    old, new = (_masked(text, secrets).splitlines() for text in (change.before, change.text))
    shown = [line for line in difflib.unified_diff(old, new, lineterm="", n=0) if _is_change(line)]
    for line in shown[:_DIFF_LINES_MAX]:
        yield f"    {line}"
    if len(shown) > _DIFF_LINES_MAX:
        yield f"    and {len(shown) - _DIFF_LINES_MAX} more lines"


def _is_change(line: str) -> bool:
    return line[:1] in "+-" and not line.startswith(("+++", "---"))


def _masked(text: str, secrets: Collection[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _owner(change: Planned) -> str:
    if change.owner is None:
        return ""
    try:
        user = pwd.getpwuid(change.owner.uid).pw_name
        group = grp.getgrgid(change.owner.gid).gr_name
    except KeyError:
        user, group = str(change.owner.uid), str(change.owner.gid)
    return f", {user}:{group}"
