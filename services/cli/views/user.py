"""How users are listed and shown."""

from __future__ import annotations

import time
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds
from services.cli.documents import number_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views import quotas
from services.cli.views.common import Page, group_text, plain

LIST = ListView(
    kinds.USER,
    [
        Column("ID", "number of the user", 4, plain("ID"), adjust=True),
        Column("NAME", "login name", 15, plain("NAME"), left=True, expand=-1),
        Column("ENABLED", "whether the user may log in", 4, lambda u, _: _yes(u, "yes", "no"), left=True),
        Column("GROUP", "primary group", 8, group_text, left=True),
        Column("AUTH", "driver that checks the credentials", 8, plain("AUTH_DRIVER"), left=True),
        *quotas.list_columns((10, 10, 10), ("%4s / %3s", "%7s / %7s", "%4s / %3s")),
        Column("PASSWORD", "what is stored to check the password", 50, plain("PASSWORD")),
    ],
    "ID NAME ENABLED GROUP AUTH VMS MEMORY CPU",
    prepare=quotas.prepare("USER"),
)


def _yes(user: Element, yes: str, no: str) -> str:
    return yes if user.findtext("ENABLED") == "1" else no


_TOKEN_COLUMNS = [
    Column("ID", "", 7),
    Column("EGID", "", 5, left=True),
    Column("EGROUP", "", 10, left=True),
    Column("EXPIRATION", "", 20, left=True),
]


def show(user: Element, inv: Any) -> list[str]:
    """The lines of ``oneuser show``."""
    page = Page(inv, 16)
    page.head(f"USER {text_of(user, 'ID')} INFORMATION")
    page.field("ID", text_of(user, "ID"))
    page.field("NAME", text_of(user, "NAME"))
    page.field("GROUP", text_of(user, "GNAME"))
    groups = [group.text or "" for group in user.findall("GROUPS/ID")]
    if len(groups) > 1:
        page.field("SECONDARY GROUPS", ",".join(groups))
    page.field("PASSWORD", text_of(user, "PASSWORD"))
    page.field("AUTH_DRIVER", text_of(user, "AUTH_DRIVER"))
    page.field("ENABLED", _yes(user, "Yes", "No"))
    page.blank()
    page.head("TOKENS")
    tokens = user.findall("LOGIN_TOKEN")
    if tokens:
        page.table(_TOKEN_COLUMNS, [_token_row(user, token, inv) for token in tokens])
    page.blank()
    page.template("USER TEMPLATE", user.find("TEMPLATE"))
    page.blank()
    quotas.sections(page, user)
    return page.lines


def _token_row(user: Element, token: Element, inv: Any) -> list[str]:
    egid = text_of(token, "EGID", "-1")
    expires = number_of(token, "EXPIRATION_TIME")
    if expires < 0:
        when = "forever"
    elif expires < time.time():
        when = "expired"
    else:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(expires))
    if egid == "-1":
        return [text_of(token, "TOKEN")[:7], f"*{text_of(user, 'GID')}", text_of(user, "GNAME"), when]
    name = inv.names.name_of(kinds.GROUP, int(egid)) or "-"
    return [text_of(token, "TOKEN")[:7], egid, name, when]
