"""Subcommands that many commands share, as functions that make their declaration."""

from __future__ import annotations

from typing import Any

from services.cli import listing
from services.cli.decl import ID, Arg, Opt, Reference, Sub
from services.cli.errors import CliError
from services.cli.kinds import Kind

APPEND = Opt("append", "add to the present attributes instead of replacing them", short="a")
XML = Opt("xml", "print the document as XML", short="x")
JSON = Opt("json", "print the document as JSON", short="j")
YAML = Opt("yaml", "print the document as YAML", short="y")
DRY = Opt("dry", "print the template and do nothing")
DECRYPT = Opt("decrypt", "show encrypted attributes decrypted")
SHOW_OPTIONS = (XML, JSON, YAML)

_REPLACE, _MERGE = 0, 1


def list_sub(view: Reference, args: str = "", options: tuple[Opt, ...] = ()) -> Sub:
    """``list``: the pool as a table."""
    return Sub(
        "list",
        args,
        "list the objects",
        options=(*listing.OPTIONS, listing.COUNT, *options),
        run=listing.run,
        view=view,
    )


def top_sub(view: Reference, args: str = "", options: tuple[Opt, ...] = ()) -> Sub:
    """``top``: the table again and again."""
    return Sub(
        "top",
        args,
        "list the objects again and again",
        options=(*listing.OPTIONS, listing.COUNT, *options),
        run=listing.run,
        view=view,
        format="top",
    )


def show_sub(
    kind: Kind, view: Reference, *, optional: bool = False, options: tuple[Opt, ...] = (DECRYPT,)
) -> Sub:
    """``show``: one object in full."""
    return Sub(
        "show",
        f"[{kind.id_spec}]" if optional else kind.id_spec,
        "show one object in full" + ("; your own when none is named" if optional else ""),
        options=(*SHOW_OPTIONS, listing.WATCH, listing.COUNT, *options),
        run="services.cli.handlers:show",
        view=view,
    )


def create_sub(kind: Kind, help: str, options: tuple[Opt, ...] = ()) -> Sub:
    """``create``: from a template in a file or on standard input."""
    return Sub("create", "[file]", help, options=options, run="services.cli.handlers:create")


def clone_sub(kind: Kind) -> Sub:
    """``clone``: a copy under another name."""
    return Sub(
        "clone",
        f"{kind.id_spec} name",
        "copy",
        call=(f"{kind.rpc}.clone", ID, Arg("name")),
        result="ID",
    )


def rename_sub(kind: Kind) -> Sub:
    """``rename``: a new name."""
    return Sub(
        "rename",
        f"{kind.id_spec} name",
        "give a new name",
        call=(f"{kind.rpc}.rename", ID, Arg("name")),
        done="renamed",
    )


def delete_sub(kind: Kind) -> Sub:
    """``delete``: for good."""
    return Sub("delete", kind.ids_spec, "delete", call=(f"{kind.rpc}.delete", ID), done="deleted")


def chown_subs(kind: Kind) -> list[Sub]:
    """``chown``, ``chgrp`` and ``chmod``."""
    ids = kind.ids_spec
    method = f"{kind.rpc}.chown"
    return [
        Sub(
            "chown",
            f"{ids} userid [groupid]",
            "change owner, and group when given",
            call=(method, ID, Arg("userid"), Arg("groupid", -1)),
            done="Owner/Group changed",
        ),
        Sub(
            "chgrp",
            f"{ids} groupid",
            "change the group",
            call=(method, ID, -1, Arg("groupid")),
            done="Group changed",
        ),
        Sub(
            "chmod",
            f"{ids} octet",
            "change permissions: use 4, manage 2, admin 1 for owner, group and others",
            call=(f"{kind.rpc}.chmod", ID, Arg("octet")),
            done="Permissions changed",
        ),
    ]


_LOCK_LEVELS = {"use": 1, "manage": 2, "admin": 3, "all": 4}


def _lock_level(inv: Any) -> int:
    return next((level for name, level in _LOCK_LEVELS.items() if getattr(inv.opts, name)), 1)


def lock_subs(kind: Kind) -> list[Sub]:
    """``lock`` and ``unlock``."""
    levels = tuple(Opt(name, f"refuse {name if name != 'all' else 'all'} actions") for name in _LOCK_LEVELS)
    return [
        Sub(
            "lock",
            kind.ids_spec,
            "refuse actions until they are unlocked; without an option those that need use rights",
            options=levels,
            call=(f"{kind.rpc}.lock", ID, _lock_level),
            done="locked",
        ),
        Sub("unlock", kind.ids_spec, "allow actions again", call=(f"{kind.rpc}.unlock", ID), done="unlocked"),
    ]


def replaced_sub(name: str, new: str) -> Sub:
    """A subcommand of old that OpenNebula has replaced; it only says what to use."""

    def refuse(inv: Any) -> int:
        raise CliError(f"{inv.command.name} {name} is no longer there; use: {inv.command.name} {new}")

    return Sub(name, "", f"no longer there: use {new}", run=refuse, format="replaced")


def update_sub(kind: Kind) -> Sub:
    """``update``: the attributes, from a file, standard input or an editor."""
    return Sub(
        "update",
        f"{kind.id_spec} [file]",
        "replace the attributes; without a file an editor is opened",
        options=(APPEND,),
        run="services.cli.handlers:update",
        done="modified",
    )


def member_subs(kind: Kind, member: Kind, add: str, remove: str, what: str) -> list[Sub]:
    """A pair of subcommands that add one object to another and take it out again."""
    return [
        Sub(
            name,
            f"{kind.id_spec} {member.id_spec}",
            help,
            call=(f"{kind.rpc}.{name}", ID, Arg(member.word)),
            done="updated",
        )
        for name, help in ((add, f"add {what}"), (remove, f"take out {what}"))
    ]


def quota_subs(kind: Kind) -> list[Sub]:
    """``quota``, ``batchquota`` and ``defaultquota`` of users and groups."""
    handlers = "services.cli.commands.quota_handlers"
    return [
        Sub(
            "quota",
            f"{kind.id_spec} [file]",
            "set limits; without a file an editor is opened",
            run=f"{handlers}:quota",
            done="modified",
        ),
        Sub(
            "batchquota",
            f"{kind.ids_spec} [file]",
            "set limits of several; without a file an editor is opened",
            run=f"{handlers}:batch",
            done="modified",
        ),
        Sub(
            "defaultquota",
            "[file]",
            "set the limits of all that have none of their own; without a file an editor is opened",
            run=f"{handlers}:default",
        ),
    ]
