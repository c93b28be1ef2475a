"""The settings of driver ldap: which servers are asked for a user, and what is said of wrong files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.oned.auth.drivers import Refusal, ldap_conf, settings

TLS = "{':encryption': {':method': ':simple_tls', ':tls_options': %s}}"
STOCK = Path(__file__).resolve().parents[4] / "share/etc/auth"


def test_the_stock_files_can_be_used() -> None:
    stock = settings.load(STOCK / "ldap_auth.conf")
    assert ldap_conf.chosen(stock, "ann") == ([["server 1"]], "ann")
    server = ldap_conf.server(stock, "server 1")
    assert (server.host, server.port, server.user_field, server.mapping_key) == (
        "localhost",
        389,
        "cn",
        "GROUP_DN",
    )
    assert server.rfc2307bis and server.mapping_generate and server.mapping_default == 1
    for name in ("x509_auth.conf", "server_x509_auth.conf"):
        assert settings.load(STOCK / name) == {}


@pytest.mark.parametrize(
    ("text", "user", "expected"),
    [
        (":order: [a, b]", "ann", ([["a"], ["b"]], "ann")),
        (":order: [a, [b, c], {any: [d, e]}]", "ann", ([["a"], ["b", "c"], ["d", "e"]], "ann")),
        (':match_user_regex: {"^(.*)@x$": a, "@y$": b}', "ann@X", ([["a"]], "ann")),
        (':match_user_regex: {"@y$": [b, c]}', "ann@y", ([["b", "c"]], "ann@y")),
        (':match_user_regex: {"^(a.*)@": a, "^ann$": b}', "ann@x", ([["a"], ["b"]], "ann")),
    ],
)
def test_the_servers_of_a_user(text: str, user: str, expected: Any) -> None:
    assert ldap_conf.chosen(yaml.safe_load(text), user) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "needs :order"),
        ("{':order': a}", "must be a list"),
        ("{':order': [a], ':match_user_regex': {'x': a}}", "exclude each other"),
        ("{':match_user_regex': [a]}", "must map expressions"),
        ("{':match_user_regex': {'(': a}}", "not a regular expression"),
        ("{':match_user_regex': {'^x$': a}}", "matches no expression"),
        ("{':order': [{a: b, c: d}]}", "must have one name"),
    ],
)
def test_orders_that_mean_nothing(text: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        ldap_conf.chosen(yaml.safe_load(text), "ann")


@pytest.mark.parametrize(
    ("text", "encryption", "verify"),
    [
        ("", "", False),
        (":encryption: :simple_tls", "simple_tls", False),
        (":encryption: start_tls", "start_tls", False),
        (TLS % "{':ca_file': /ca}", "simple_tls", True),
        (TLS % "{':verify_mode': 1}", "simple_tls", True),
        (TLS % "{':ca_file': /ca, ':verify_mode': 0}", "simple_tls", False),
    ],
)
def test_encryption(text: str, encryption: str, verify: bool) -> None:
    server = ldap_conf.server({"a": {":base": "dc=x", **(yaml.safe_load(text) or {})}}, "a")
    assert (server.encryption, server.verify) == (encryption, verify)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "there is no server"),
        ({}, "has no :base"),
        ({":base": "x", ":port": "y"}, ":port of 'a' must be a number"),
        ({":base": "x", ":encryption": ":ssl"}, "must be :simple_tls or :start_tls"),
    ],
)
def test_servers_that_cannot_be_asked(found: Any, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        ldap_conf.server({"a": found}, "a")


def test_passwords_are_not_shown() -> None:
    server = ldap_conf.server({"a": {":base": "x", ":user": "cn=r", ":password": "hush"}}, "a")
    assert "hush" not in repr(server) and server.password == "hush"
