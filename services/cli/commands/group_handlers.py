"""What onegroup does beyond a single call."""

from __future__ import annotations

from typing import Any

from services.cli import acl_rules, secrets
from services.cli.errors import CliError
from services.cli.template_text import vector
from services.common.oca import EndpointError, OneError

_CREATABLE = "VM+IMAGE+TEMPLATE+DOCUMENT+SECGROUP+VROUTER+VMGROUP"
_ADMIN_VIEW = "groupadmin"  # Sunstone's view for administrators of groups


def create(inv: Any) -> int:
    """Add a group, its rule on what members may create and its administrator; prints the id.

    Nothing stays when one of the steps is refused.
    """
    opts, argument, option = inv.opts, inv.args.get("group_name"), inv.opts.name
    if argument and option:
        raise CliError(f"onegroup create: two names were given, {argument!r} and --name {option!r}.")
    if not argument and not option:
        raise CliError("onegroup create: the name of the group is missing.")
    resources = _CREATABLE if opts.resources is None else opts.resources.strip()
    rule = ["@0", f"{resources}/*", "CREATE", "*"]
    if resources:
        acl_rules.encode(rule)  # a mistake is told before anything is created
    password = None
    if opts.admin_user:
        password = opts.admin_password or secrets.ask("Password of the administrator", twice=True)
    elif opts.admin_password or opts.admin_driver:
        raise CliError("onegroup create: --admin_password and --admin_driver need --admin_user.")
    oid = inv.call("group.allocate", argument or option)
    undo: list[tuple[Any, ...]] = [("group.delete", oid)]
    try:
        if resources:
            rule[0] = f"@{oid}"
            undo.append(("acl.delrule", inv.call("acl.addrule", *acl_rules.encode(rule))))
        if password is not None:
            admin = inv.call("user.allocate", opts.admin_user, password, opts.admin_driver or "", [oid])
            undo.append(("user.delete", admin))
            inv.call("group.addadmin", oid, admin)
        views = [("GROUP_ADMIN_VIEWS", _ADMIN_VIEW), ("GROUP_ADMIN_DEFAULT_VIEW", _ADMIN_VIEW)]
        inv.call("group.update", oid, vector("SUNSTONE", views), 1)
    except (OneError, EndpointError):
        for method, *arguments in reversed(undo):
            _try(inv, method, *arguments)
        raise
    inv.out(f"ID: {oid}")
    return 0


def _try(inv: Any, method: str, *arguments: Any) -> None:
    """Undo one step; what cannot be undone is told, since the refusal that led here is told as well."""
    try:
        inv.call(method, *arguments)
    except (OneError, EndpointError) as error:
        inv.warn(f"Left over: {error}")
