"""onevdc: virtual data centers."""

from __future__ import annotations

from services.cli.decl import ID, Arg, Command, Sub
from services.cli.kinds import CLUSTER, DATASTORE, HOST, VDC, VNET, Kind
from services.cli.subs import delete_sub, list_sub, rename_sub, show_sub, top_sub, update_sub
from services.cli.template_text import quote

_LIST = "services.cli.views.vdc:LIST"


def _group(name: str, help: str, done: str) -> Sub:
    return Sub(name, "vdcid_list groupid", help, call=(f"vdc.{name}", ID, Arg("groupid")), done=done)


def _member_subs(kind: Kind, what: str) -> list[Sub]:
    """``addhost`` and ``delhost``, for a sort of objects of a zone."""
    return [
        Sub(
            f"{verb}{what}",
            f"vdcid_list zoneid {kind.arg}:{kind.arg}_or_all",
            help,
            call=(f"vdc.{verb}{what}", ID, Arg("zoneid"), Arg(kind.arg)),
            done=f"{what} {done}",
        )
        for verb, done, help in (
            (
                "add",
                "added",
                f"let the groups use a {what} of a zone; ALL means every one, also those to come",
            ),
            ("del", "deleted", f"take a {what} of a zone, or ALL, from the groups"),
        )
    ]


COMMAND = Command(
    "onevdc",
    VDC,
    "manages virtual data centers: what of each zone some groups may use",
    [
        Sub(
            "create",
            "name",
            "add a VDC without members",
            call=("vdc.allocate", lambda inv: f"NAME={quote(inv.args['name'])}"),
            result="ID",
        ),
        list_sub(_LIST),
        top_sub(_LIST),
        show_sub(VDC, "services.cli.views.vdc:show", options=()),
        delete_sub(VDC),
        rename_sub(VDC),
        update_sub(VDC),
        _group("addgroup", "let a group use the resources", "group added"),
        _group("delgroup", "take the resources from a group", "group deleted"),
        *_member_subs(CLUSTER, "cluster"),
        *_member_subs(HOST, "host"),
        *_member_subs(DATASTORE, "datastore"),
        *_member_subs(VNET, "vnet"),
    ],
)
