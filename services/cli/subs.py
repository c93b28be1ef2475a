"""Subcommands that many commands share, as functions that make their declaration."""

from __future__ import annotations

from services.cli import listing
from services.cli.decl import ID, Arg, Opt, Reference, Sub
from services.cli.kinds import Kind

APPEND = Opt("append", "add to the present attributes instead of replacing them", short="a")
XML = Opt("xml", "print the document as XML", short="x")
JSON = Opt("json", "print the document as JSON", short="j")
YAML = Opt("yaml", "print the document as YAML", short="y")
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
        f"[{kind.arg}]" if optional else kind.arg,
        "show one object in full" + ("; your own when none is named" if optional else ""),
        options=(*SHOW_OPTIONS, *options),
        run="services.cli.handlers:show",
        view=view,
    )


def rename_sub(kind: Kind) -> Sub:
    """``rename``: a new name."""
    return Sub(
        "rename",
        f"{kind.arg} name",
        "give a new name",
        call=(f"{kind.rpc}.rename", ID, Arg("name")),
        done="renamed",
    )


def delete_sub(kind: Kind) -> Sub:
    """``delete``: for good."""
    return Sub("delete", f"{kind.arg}_list", "delete", call=(f"{kind.rpc}.delete", ID), done="deleted")


def chown_subs(kind: Kind) -> list[Sub]:
    """``chown``, ``chgrp`` and ``chmod``."""
    ids = f"{kind.arg}_list"
    method = f"{kind.rpc}.chown"
    return [
        Sub(
            "chown",
            f"{ids} userid [groupid]",
            "change owner, and group when given",
            call=(method, ID, Arg("userid"), Arg("groupid", -1)),
            done="owner changed",
        ),
        Sub(
            "chgrp",
            f"{ids} groupid",
            "change the group",
            call=(method, ID, -1, Arg("groupid")),
            done="group changed",
        ),
        Sub(
            "chmod",
            f"{ids} octet",
            "change permissions: use 4, manage 2, admin 1 for owner, group and others",
            call=(f"{kind.rpc}.chmod", ID, Arg("octet")),
            done="permissions changed",
        ),
    ]


def update_sub(kind: Kind) -> Sub:
    """``update``: the attributes, from a file, standard input or an editor."""
    return Sub(
        "update",
        f"{kind.arg} [file]",
        "replace the attributes; without a file an editor is opened",
        options=(APPEND,),
        run="services.cli.handlers:update",
        done="updated",
    )


def member_subs(kind: Kind, member: Kind, add: str, remove: str, what: str) -> list[Sub]:
    """A pair of subcommands that add one object to another and take it out again."""
    return [
        Sub(
            name,
            f"{kind.arg} {member.arg}",
            help,
            call=(f"{kind.rpc}.{name}", ID, Arg(member.arg)),
            done=help,
        )
        for name, help in ((add, f"add {what}"), (remove, f"take out {what}"))
    ]
