"""What onegroup does beyond a single call."""

from __future__ import annotations

from typing import Any

from services.cli.errors import CliError


def create(inv: Any) -> int:
    """Add a group, named by argument or option; prints the id."""
    argument, option = inv.args.get("group_name"), inv.opts.name
    if argument and option:
        raise CliError(f"onegroup create: two names were given, {argument!r} and --name {option!r}.")
    if not argument and not option:
        raise CliError("onegroup create: the name of the group is missing.")
    inv.out(f"ID: {inv.call('group.allocate', argument or option)}")
    return 0
