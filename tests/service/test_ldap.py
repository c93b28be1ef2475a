"""The ldap driver against a real OpenLDAP server: users, groups, mapping, several servers, hangs and TLS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import paths
from services.oned.auth import session
from services.oned.auth.session import Caller
from services.oned.errors import AuthenticationError
from tests.support import tokens
from tests.support.core import Core
from tests.support.slapd import ADMIN, ADMIN_PASSWORD, BASE, Slapd

PEOPLE = f"ou=people,{BASE}"
STAFF, ADMINS = f"cn=Staff,ou=groups,{BASE}", f"cn=admins,ou=groups,{BASE}"


def person(uid: str, password: str, name: str = "") -> str:
    """The LDIF of a user."""
    return (
        f"dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name or uid}\nsn: x\n"
        f"userPassword: {password}\n\n"
    )


def unit(name: str) -> str:
    """The LDIF of an organizational unit."""
    return f"dn: ou={name},{BASE}\nobjectClass: organizationalUnit\nou: {name}\n\n"


LDIF = (
    f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: test\ndc: test\n\n"
    + unit("people") + unit("groups")
    + person("ann", "ann-pw") + person("ben", "ben-pw") + person("*", "star-pw") + person("Joe Doe", "joe-pw")
    + f"dn: cn=reader,{BASE}\nobjectClass: person\ncn: reader\nsn: x\nuserPassword: reader-pw\n\n"
)  # fmt: skip
# memberOf is kept by the server, for entries that are added while it runs.
GROUPS = {STAFF: ["ann"], ADMINS: ["ann"]}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tokens.Authority:
    """What has signed the server's certificate."""
    return tokens.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory, authority: tokens.Authority) -> Iterator[Slapd]:
    """A server with four users; ann is in both groups."""
    if not Slapd.available():
        pytest.skip("left out: slapd is not installed (./onebox test --all installs it)")
    folder = tmp_path_factory.mktemp("slapd")
    key = tokens.new_key(folder / "server.key")
    (folder / "server.pem").write_text(authority.issue(key, "/CN=127.0.0.1"))
    server = Slapd(folder, LDIF, certificate=folder / "server.pem")
    server.start()
    _add_groups(server)
    yield server
    server.stop()


def _add_groups(server: Slapd) -> None:
    import ldap3

    with ldap3.Connection(ldap3.Server("127.0.0.1", server.port), ADMIN, ADMIN_PASSWORD) as connection:
        for dn, members in GROUPS.items():
            names = [f"uid={name},{PEOPLE}" for name in members]
            assert connection.add(dn, "groupOfNames", {"member": names}), connection.result


class Front:
    """A zone whose DEFAULT_AUTH is ldap, with a settable ldap_auth.conf."""

    def __init__(self, folder: Path, slapd: Slapd) -> None:
        self.core = Core(folder, 'DEFAULT_AUTH = "ldap"\nSESSION_EXPIRATION_TIME = "0"')
        self._slapd = slapd
        (paths.etc() / "auth").mkdir(parents=True)
        self.configure()

    def configure(
        self, more: str = "", order: str = ":order:\n  - one", host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """Write the file: one server, further settings of it, and the order."""
        (paths.etc() / "auth/ldap_auth.conf").write_text(
            f"one:\n  :host: {host}\n  :port: {port or self._slapd.port}\n  :auth_method: :simple\n"
            f"  :base: '{BASE}'\n  :user_field: uid\n  :mapping_default: 1\n{more}\n{order}\n"
        )

    def caller(self, name: str = "ann", secret: str = "ann-pw") -> Caller:
        """The user that a session proves."""
        return session.caller(self.core.store, f"{name}:{secret}", self.core.zone.conf)

    def refuses(self, name: str = "ann", secret: str = "ann-pw") -> bool:
        """Whether a session proves nobody."""
        try:
            self.caller(name, secret)
        except AuthenticationError:
            return True
        return False

    def map(self, name: str, dn: str) -> int:
        """A group of ours for one of the directory."""
        gid: int = self.core.call("group.allocate", name)
        self.core.call("group.update", gid, f'GROUP_DN="{dn}"', 1)
        return gid


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slapd: Slapd) -> Iterator[Front]:
    """A fresh zone on the module's server."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    made = Front(tmp_path, slapd)
    yield made
    slapd.freeze(False)
    made.core.zone.close()


def test_a_user_of_the_directory(front: Front) -> None:
    found = front.caller()
    assert (found.name, found.gid) == ("ann", 1)
    document = front.core.info("user.info", found.uid)
    assert document.findtext("PASSWORD") == f"uid=ann,{PEOPLE}"
    assert document.findtext("AUTH_DRIVER") == "ldap"
    assert front.caller().uid == found.uid
    assert front.core.call("user.info", found.uid).count("ann-pw") == 0


@pytest.mark.parametrize(
    ("name", "secret"),
    [("ann", "wrong"), ("ann", ""), ("ann", "%00"), ("nobody", "ann-pw"), ("ann)(uid=*", "ann-pw"),
     ("an*", "ann-pw"), ("ben", "ann-pw"), ("%20ann", "ann-pw")],
)  # fmt: skip
def test_whom_the_directory_does_not_know(front: Front, name: str, secret: str) -> None:
    assert front.refuses(name, secret)
    assert front.core.rows("SELECT COUNT(*) FROM user_pool") == [(2,)]


def test_signs_that_searches_would_read_otherwise(front: Front) -> None:
    assert front.caller("*", "star-pw").name == "*"
    assert front.refuses("*", "ann-pw")


def test_names_with_blanks_arrive_escaped(front: Front) -> None:
    found = front.caller("joe%20doe", "joe%2Dpw")
    assert found.name == "joe%20doe"
    assert front.core.info("user.info", found.uid).findtext("PASSWORD") == f"uid=Joe%20Doe,{PEOPLE}"
    assert front.caller("joe%20doe", "joe-pw").uid == found.uid


def test_groups_are_mapped_and_followed(front: Front) -> None:
    assert front.caller().groups == {1}
    staff = front.map("staff", STAFF.upper())  # DNs are the same in any case
    found = front.caller()
    assert (found.gid, found.groups) == (staff, {staff})
    other = front.map("other", ADMINS)
    assert front.caller().groups == {staff, other}
    front.configure(f"  :group_admin_group_dn: '{ADMINS}'")
    front.caller()
    assert front.core.info("group.info", staff).findtext("ADMINS/ID") == str(found.uid)
    front.configure()
    front.caller()
    assert front.core.info("group.info", staff).findtext("ADMINS/ID") is None


def test_groups_by_searching(front: Front) -> None:
    staff = front.map("staff", STAFF)
    front.configure("  :rfc2307bis: false\n  :user_group_field: dn")
    assert front.caller().groups == {staff}
    assert front.caller("ben", "ben-pw").groups == {1}


def test_users_without_a_mapped_group(front: Front) -> None:
    staff = front.map("staff", STAFF)
    text = (paths.etc() / "auth/ldap_auth.conf").read_text().replace("  :mapping_default: 1\n", "")
    (paths.etc() / "auth/ldap_auth.conf").write_text(text)
    assert front.refuses("ben", "ben-pw")
    assert front.caller().gid == staff


def test_a_mapping_that_somebody_else_keeps(front: Front) -> None:
    front.core.call("group.allocate", "devs")
    front.configure("  :mapping_generate: false\n  :mapping_filename: groups.yaml")
    assert front.caller().groups == {1}
    (paths.var() / "groups.yaml").write_text(f"'{STAFF}': '100'\n")
    assert front.caller().groups == {100}
    (paths.var() / "groups.yaml").write_text(f"'{STAFF}': staff\n")
    assert front.refuses()


def test_a_group_that_is_needed(front: Front) -> None:
    front.configure(f"  :group: '{STAFF}'")
    assert front.caller().name == "ann"
    assert front.refuses("ben", "ben-pw")


def test_a_search_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not Slapd.available():
        pytest.skip("left out: slapd is not installed (./onebox test --all installs it)")
    closed = Slapd(tmp_path_factory.mktemp("closed"), LDIF, anonymous="auth")
    closed.start()
    try:
        monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
        front = Front(tmp_path, closed)
        assert front.refuses()
        front.configure(f"  :user: 'cn=reader,{BASE}'\n  :password: reader-pw")
        assert front.caller().name == "ann"
        front.configure(f"  :user: 'cn=reader,{BASE}'\n  :password: wrong")
        assert front.refuses()
        front.core.zone.close()
    finally:
        closed.stop()


# -- several servers -----------------------------------------------------------------------------------------
def test_servers_that_do_not_answer_are_passed_over(front: Front) -> None:
    dead = f"dead:\n  :host: 127.0.0.1\n  :port: 1\n  :base: '{BASE}'\n  :timeout: 2\n"
    front.configure(order=f"{dead}:order:\n  - [dead, one]")
    assert front.caller().name == "ann"
    front.configure(order=f"{dead}:order:\n  - dead\n  - missing\n  - one")
    assert front.caller().name == "ann"
    front.configure(order=f"{dead}:order:\n  - dead")
    assert front.refuses()


def test_of_a_group_the_first_server_that_answers_decides(front: Front, slapd: Slapd) -> None:
    nobody = (
        f"nobody:\n  :host: 127.0.0.1\n  :port: {slapd.port}\n  :base: 'ou=groups,{BASE}'\n"
        "  :user_field: uid\n"
    )
    front.configure(order=f"{nobody}:order:\n  - [nobody, one]")
    assert front.refuses()
    front.configure(order=f"{nobody}:order:\n  - nobody\n  - one")
    assert front.caller().name == "ann"


def test_names_that_choose_a_server(front: Front) -> None:
    front.configure(order=':match_user_regex:\n  "^(.*)@here$": one')
    assert front.caller("ann@here").name == "ann@here"
    assert front.refuses("ann@there")
    assert front.refuses("ann")


# -- trouble -------------------------------------------------------------------------------------------------
def test_a_server_that_hangs_ends_in_time_and_holds_no_transaction(front: Front, slapd: Slapd) -> None:
    front.configure("  :timeout: 1")
    uid = front.caller().uid
    slapd.freeze()
    started = time.monotonic()
    assert front.refuses()
    assert 0.9 < time.monotonic() - started < 10
    slapd.freeze(False)
    assert front.caller().uid == uid


def test_a_configuration_that_cannot_be_used(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    for text, reason in (
        (":order: [one]\nother: 1", "there is no server 'one'"),
        ("- a", "must hold settings"),
        ("a: [", "is not YAML at line"),
        ("one:\n  :base: x", "needs :order or :match_user_regex"),
        (":order: [one]\none:\n  :host: x", "has no :base"),
    ):
        (paths.etc() / "auth/ldap_auth.conf").write_text(text)
        caplog.clear()
        with caplog.at_level("INFO"):
            assert front.refuses()
        assert reason in caplog.text and "ann-pw" not in caplog.text
    (paths.etc() / "auth/ldap_auth.conf").unlink()
    assert front.refuses()


def test_no_secret_reaches_the_log(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    front.configure(f"  :user: 'cn=reader,{BASE}'\n  :password: reader-pw")
    with caplog.at_level("DEBUG"):
        front.caller()
        front.refuses("ann", "t0p-secret")
    assert "ann" in caplog.text
    assert not any(secret in caplog.text for secret in ("ann-pw", "t0p-secret", "reader-pw"))


@pytest.mark.parametrize("kind", ["simple_tls", "start_tls"])
def test_encrypted_connections(
    front: Front, slapd: Slapd, authority: tokens.Authority, kind: str, tmp_path: Path
) -> None:
    port = slapd.tls_port if kind == "simple_tls" else slapd.port
    front.configure(f"  :encryption: :{kind}", port=port)
    assert front.caller().name == "ann"
    options = "  :encryption:\n    :method: :{kind}\n    :tls_options:\n      :ca_file: {file}"
    front.configure(options.format(kind=kind, file=authority.certificate), port=port)
    assert front.caller().name == "ann"
    stranger = tokens.Authority(tmp_path / "other", "Other CA")
    front.configure(options.format(kind=kind, file=stranger.certificate), port=port)
    assert front.refuses()
