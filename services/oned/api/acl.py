"""Permission rules: add, delete, list."""

from __future__ import annotations

import re

from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.auth import access
from services.oned.auth.rights import Right
from services.oned.errors import RequestError
from services.oned.model import acl
from services.oned.model.acl import AclPool, Rule

_HEX = re.compile(r"\s*\+?(?:0[xX])?([0-9a-fA-F]+)")


@method("one.acl.addrule", "user:s resource:s rights:s zone:s=")
def add_rule(call: Call, user: str, resource: str, rights: str, zone: str) -> int:
    """Add a rule; its parts are hexadecimal numbers, and without a zone it holds in this one."""
    access.require_kind(call.tx, call.caller, AclPool, Right.MANAGE)
    return acl.add(
        call.tx,
        Rule(
            -1,
            _number("user", user),
            _number("resource", resource),
            _number("rights", rights),
            _number("zone", zone) if zone else acl.INDIVIDUAL | call.conf.zone_id,
        ),
    )


@method("one.acl.delrule", "acl_id:i")
def del_rule(call: Call, oid: int) -> int:
    """Delete a rule."""
    access.require_kind(call.tx, call.caller, AclPool, Right.MANAGE)
    acl.delete(call.tx, oid)
    return oid


@method("one.acl.info", "", writes=False)
def info(call: Call) -> str:
    """Every rule, as numbers and in words."""
    access.require_kind(call.tx, call.caller, AclPool, Right.MANAGE)
    return f"<ACL_POOL>{''.join(rule.to_xml() for rule in acl.rules(call.tx))}</ACL_POOL>"


def _number(part: str, text: str) -> int:
    # As OpenNebula reads it: what follows the digits does not matter.
    found = _HEX.match(text)
    value = int(found[1], 16) if found else -1
    if not 0 <= value < 2**63:
        raise RequestError(f"Rule part {part} must be a hexadecimal number of 63 bits, found {text[:40]!r}.")
    return value
