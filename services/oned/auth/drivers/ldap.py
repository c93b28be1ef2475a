"""Driver ldap: the directory knows the user's password and groups; the database keeps the user's DN.

The user is looked for with the search account, then the connection is made anew with the user's DN and
secret. Groups of the directory become groups of ours by the DN in a group's template (``:mapping_key``).
Names and secrets arrive escaped as in URLs. Source: ldap authentication page of release 6.0 and its driver.
"""

from __future__ import annotations

import logging
import re
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.utils.conv import escape_filter_chars

from services.common import paths
from services.oned.auth.drivers import ldap_conf, settings
from services.oned.auth.drivers.base import Answer, Context, Login, Refusal
from services.oned.auth.drivers.ldap_conf import Server

_log = logging.getLogger("AuM")
# Results that say more about the server than about the user: timeLimit, busy, unavailable, unwilling, other.
_TROUBLE = frozenset({3, 51, 52, 53, 80})
# What may stay as it is in a name or DN that is one word of a line.
_UNESCAPED = "-_.!~*'();/?:@&=+$,[]"


class _Unreachable(Exception):
    """The server gave no answer that decides; another one of its group may."""


@dataclass(frozen=True, slots=True)
class _Entry:
    dn: str
    attributes: dict[str, list[str]]  # names in lower case

    def values(self, name: str) -> list[str]:
        return [self.dn] if name.lower() == "dn" else self.attributes.get(name.lower(), [])


def authenticate(login: Login, context: Context) -> Answer:
    """Accept whom a directory server accepts, with the groups that it names. Raises Refusal."""
    full_name, secret = unquote(login.name), unquote(login.secret)
    if not secret:
        raise Refusal("the password is empty")  # servers take such a bind for an anonymous one
    conf = settings.read("ldap_auth.conf", required=True)
    groups_of_servers, name = ldap_conf.chosen(conf, full_name)
    for names in groups_of_servers:
        for server_name in names:
            try:
                server = ldap_conf.server(conf, server_name)
                dn, gids = _ask(server, name, secret, context)
            except Refusal as refusal:
                _log.info("LDAP server %s refuses %.40r: %s.", server_name, name, refusal)
                break
            except _Unreachable as trouble:
                _log.warning("LDAP server %s gave no answer: %s.", server_name, trouble)
                continue
            words = ["ldap", quote(full_name, _UNESCAPED).lower(), quote(dn, _UNESCAPED), *gids]
            return Answer(" ".join(words))
    raise Refusal("no LDAP server accepts the user")


def _ask(server: Server, name: str, secret: str, context: Context) -> tuple[str, list[str]]:
    """The user's DN and groups of ours. Raises Refusal, _Unreachable."""
    try:
        with _Directory(server, server.user, server.password) as directory:
            user = directory.user(name)
            _require_same_name(user, server, name)
            if server.group and not directory.is_member(user, server.group):
                raise Refusal(f"is not in group {server.group}")
            groups = directory.groups(user)
        with _Directory(server, user.dn, secret):
            pass
    except LDAPException as error:
        raise _Unreachable(str(error)[:200]) from None
    return user.dn, _mapped(server, groups, context)


def _require_same_name(user: _Entry, server: Server, name: str) -> None:
    """Raise Refusal when the directory compared more loosely than names may differ (blanks around it)."""
    found = user.values(server.user_field)
    if found and found[0].lower() != name.lower():
        raise Refusal("the name in the directory differs")


def _mapped(server: Server, groups: list[str], context: Context) -> list[str]:
    """Our groups for those of the directory, with a star where the user administers them. Raises Refusal."""
    mapping = {dn.lower(): gid for dn, gid in _mapping(server, context).items()}
    star = "*" if server.group_admin_group_dn in groups else ""
    found = [f"{star}{mapping[dn.lower()]}" for dn in groups if dn.lower() in mapping]
    if not found and server.mapping_default is None:
        raise Refusal("is in no group that is mapped")
    return list(dict.fromkeys(found)) or [str(server.mapping_default)]


def _mapping(server: Server, context: Context) -> dict[str, int]:
    """Group DN to our group's id: from the groups' templates, or from a file that somebody else keeps."""
    if server.mapping_generate:
        return context.group_ids(server.mapping_key)
    file = paths.var() / server.mapping_filename
    try:
        found = settings.load(file) if file.exists() else {}
        return {str(dn): int(gid) for dn, gid in found.items()}
    except (TypeError, ValueError):
        raise Refusal(f"{file}: must map group DNs to group ids") from None


class _Directory:
    """A bound connection to a server. Raises Refusal (the bind is refused), LDAPException, _Unreachable."""

    def __init__(self, server: Server, user: str | None, password: str | None) -> None:
        self._server = server
        self._ends_at = time.monotonic() + server.timeout_s
        tls = ldap3.Tls(
            validate=ssl.CERT_REQUIRED if server.verify else ssl.CERT_NONE, ca_certs_file=server.ca_file
        )
        self._connection = ldap3.Connection(
            ldap3.Server(
                server.host,
                server.port,
                use_ssl=server.encryption == "simple_tls",
                tls=tls if server.encryption else None,
                connect_timeout=server.timeout_s,
                get_info=ldap3.NONE,
            ),
            user=user,
            password=password,
            authentication=ldap3.SIMPLE if user else ldap3.ANONYMOUS,
            receive_timeout=server.timeout_s,
            auto_referrals=False,
            read_only=True,
        )

    def __enter__(self) -> _Directory:
        try:
            self._connection.open()
            if self._server.encryption == "start_tls" and not self._connection.start_tls():
                raise _Unreachable("start_tls was refused")
            if not self._connection.bind():
                raise Refusal(f"bind: {self._connection.result['description']}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._connection.unbind()
        except (LDAPException, OSError):
            _log.debug("closing a lost connection to LDAP server %s", self._server.name)

    def user(self, name: str) -> _Entry:
        """The entry of a user, found by the name or by its DN."""
        server = self._server
        wanted = [server.user_field, "memberOf"]
        if server.user_group_field.lower() != "dn" and (server.group or not server.rfc2307bis):
            wanted.append(server.user_group_field)
        found = self._search(server.base, _equals(server.user_field, name), wanted)
        if not found and re.match(r"\s*[\w.-]+\s*=", name):
            found = self._search(name, "(objectClass=*)", wanted, scope=ldap3.BASE)
        if not found:
            raise Refusal("is not in the directory")
        return found[0]

    def is_member(self, user: _Entry, group: str) -> bool:
        """Whether a group's entry lists the user."""
        names = user.values(self._server.user_group_field)
        return bool(names and self._search(group, _equals(self._server.group_field, names[0]), []))

    def groups(self, user: _Entry) -> list[str]:
        """The DNs of the user's groups."""
        server = self._server
        if server.rfc2307bis:
            return user.values("memberOf")
        names = user.values(server.user_group_field)
        if not names:
            return []
        wanted = _equals(server.group_field, names[0])
        return [entry.dn for entry in self._search(server.group_base, wanted, [], most=0)]

    def _search(
        self, base: str, text: str, wanted: list[str], *, scope: str = ldap3.SUBTREE, most: int = 2
    ) -> list[_Entry]:
        if time.monotonic() >= self._ends_at:
            raise _Unreachable(f"no answer within {self._server.timeout_s:g} s")
        self._connection.search(
            base, text, scope, attributes=wanted or [ldap3.NO_ATTRIBUTES], size_limit=most
        )
        result: dict[str, Any] = self._connection.result
        if result["result"] in _TROUBLE:
            raise _Unreachable(f"search: {result['description']}")
        return [_entry(row) for row in self._connection.response or () if row["type"] == "searchResEntry"]


def _equals(field: str, value: str) -> str:
    return f"({field}={escape_filter_chars(value)})"


def _entry(row: dict[str, Any]) -> _Entry:
    attributes = {
        name.lower(): [value.decode("utf-8", "replace") for value in values]
        for name, values in row["raw_attributes"].items()
    }
    return _Entry(row["dn"], attributes)
