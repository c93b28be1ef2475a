"""What oneacl does beyond a single call."""

from __future__ import annotations

from typing import Any

from services.cli import acl_rules
from services.cli.errors import CliError


def create(inv: Any) -> int:
    """Add a rule, given as one argument or part by part; prints its id."""
    parts = [value for value in inv.args.values() if value is not None]
    if len(parts) == 1:
        parts = parts[0].split()
    if len(parts) not in (3, 4):
        raise CliError(
            'oneacl create: a rule has three or four parts, such as "@100 VM/* CREATE *" '
            f"(user, resource, rights, zone), found {len(parts)}."
        )
    inv.out(f"ID: {inv.call('acl.addrule', *acl_rules.encode(parts))}")
    return 0
