"""The settings of driver ldap, ``auth/ldap_auth.conf``: servers, and which of them are asked for a user.

Source: the commented file of release 6.0 and its documentation page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from services.oned.auth.drivers.base import Refusal

_TIMEOUT_S = 15
_USERS = 1


@dataclass(frozen=True, slots=True)
class Server:
    """One directory server and how users and groups are found in it."""

    name: str
    host: str
    port: int
    base: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    group_base: str = ""
    encryption: str = ""  # simple_tls, start_tls or none
    verify: bool = False
    ca_file: str | None = None
    timeout_s: float = _TIMEOUT_S
    group: str | None = None
    user_field: str = "cn"
    user_group_field: str = "dn"
    group_field: str = "member"
    rfc2307bis: bool = True
    mapping_generate: bool = True
    mapping_filename: str = "server1.yaml"
    mapping_key: str = "GROUP_DN"
    mapping_default: int | None = _USERS
    group_admin_group_dn: str | None = None


def chosen(settings: dict[str, Any], user: str) -> tuple[list[list[str]], str]:
    """The groups of servers to ask, in order, and the name to look for. Raises Refusal.

    Of a group the first server that answers decides; then comes the next group.
    """
    order, regexes = settings.get(":order"), settings.get(":match_user_regex")
    if order and regexes:
        raise Refusal("ldap_auth.conf: :order and :match_user_regex exclude each other")
    if order:
        if not isinstance(order, list):
            raise Refusal("ldap_auth.conf: :order must be a list of servers")
        return [_names(entry) for entry in order], user
    if not regexes:
        raise Refusal("ldap_auth.conf: needs :order or :match_user_regex")
    if not isinstance(regexes, dict):
        raise Refusal("ldap_auth.conf: :match_user_regex must map expressions to servers")
    groups = []
    for expression, servers in regexes.items():
        try:
            found = re.search(str(expression), user, re.IGNORECASE)
        except re.error:
            raise Refusal(f"ldap_auth.conf: {str(expression)[:60]!r} is not a regular expression") from None
        if found:
            # What the expression captures is the name in the directory.
            user = next((part for part in found.groups()[:1] if part), user)
            groups.append(_names(servers))
    if not groups:
        raise Refusal("ldap_auth.conf: the user matches no expression of :match_user_regex")
    return groups, user


def server(settings: dict[str, Any], name: str) -> Server:
    """The server of that name. Raises Refusal naming the setting that is missing or wrong."""
    found = settings.get(name)
    if not isinstance(found, dict):
        raise Refusal(f"ldap_auth.conf: there is no server {name!r}")

    def text(key: str, default: str = "") -> str:
        value = found.get(key)
        return default if value is None else str(value)

    def number(key: str, default: int) -> int:
        try:
            return int(found.get(key, default))
        except (TypeError, ValueError):
            raise Refusal(f"ldap_auth.conf: {key} of {name!r} must be a number") from None

    base = text(":base")
    if not base:
        raise Refusal(f"ldap_auth.conf: server {name!r} has no :base")
    encryption, tls = _encryption(found, name)
    return Server(
        name=name,
        host=text(":host", "localhost"),
        port=number(":port", 389),
        base=base,
        user=found.get(":user"),
        password=None if found.get(":password") is None else str(found[":password"]),
        group_base=text(":group_base", base),
        encryption=encryption,
        verify=_verifies(tls),
        ca_file=tls.get(":ca_file"),
        timeout_s=number(":timeout", _TIMEOUT_S),
        group=found.get(":group"),
        user_field=text(":user_field", "cn"),
        user_group_field=text(":user_group_field", "dn"),
        group_field=text(":group_field", "member"),
        rfc2307bis=bool(found.get(":rfc2307bis", True)),
        mapping_generate=bool(found.get(":mapping_generate", True)),
        mapping_filename=text(":mapping_filename", "server1.yaml"),
        mapping_key=text(":mapping_key", "GROUP_DN"),
        # OpenNebula has a default for it, and then looks at what the file says alone.
        mapping_default=number(":mapping_default", 0) if found.get(":mapping_default") else None,
        group_admin_group_dn=found.get(":group_admin_group_dn"),
    )


def _names(entry: Any) -> list[str]:
    if isinstance(entry, dict):
        if len(entry) != 1:
            raise Refusal("ldap_auth.conf: a group of servers must have one name")
        entry = next(iter(entry.values()))
    return [str(name) for name in entry] if isinstance(entry, list) else [str(entry)]


def _encryption(found: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    """The kind of encryption and its options; a word, or a mapping with :method and :tls_options."""
    wanted = found.get(":encryption")
    tls: dict[str, Any] = {}
    if isinstance(wanted, dict):
        tls = wanted.get(":tls_options") or {}
        wanted = wanted.get(":method")
    word = str(wanted or "").lstrip(":")
    if word not in ("", "simple_tls", "start_tls"):
        raise Refusal(f"ldap_auth.conf: :encryption of {name!r} must be :simple_tls or :start_tls")
    return word, tls if isinstance(tls, dict) else {}


def _verifies(tls: dict[str, Any]) -> bool:
    """As OpenNebula's library does it: certificates are checked where the options say so, or name a CA."""
    mode = tls.get(":verify_mode")
    return bool(tls.get(":ca_file")) if mode is None else str(mode) not in ("0", "none", ":none")
