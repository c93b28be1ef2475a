"""Users, groups, their quotas, passwords, tokens and keys."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.shell import Shell, at_a_new_front_end, field

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """oneadmin's shell at a front-end without machines."""
    with at_a_new_front_end(tmp_path_factory.mktemp("people")) as found:
        yield found


def test_group_with_an_administrator(shell: Shell) -> None:
    """onegroup create addadmin deladmin show update delete: group, rule and administrator, or nothing."""
    oid = shell.created("onegroup create --name devs -u boss -p pw -d core -r VM+TEMPLATE")
    shown = shell.ok("onegroup show devs")
    boss = re.search(r"^ +(\d+) \*$", shown, re.M)
    assert boss and 'GROUP_ADMIN_VIEWS="groupadmin"' in shown
    rules = shell.ok(f"oneacl list -f USER=@{oid} --csv -l STRING --no-header")
    assert f"@{oid} VM+TEMPLATE/* CREATE *" in rules
    assert shell.refused("onegroup create again -u boss -p pw").startswith("[one.user.allocate]")
    assert "again" not in shell.ok("onegroup list")
    assert "there is no sort 'VN'" in shell.refused("onegroup create again -r VN")
    assert "need --admin_user" in shell.refused("onegroup create again -p pw")
    assert "two names" in shell.refused("onegroup create a --name b")
    shell.ok("onegroup deladmin devs boss")
    assert "*" not in shell.ok(f"onegroup show {oid}").partition("USER ID")[2].partition("VMS USAGE")[0]
    assert shell.ok("onegroup addadmin -v devs boss") == f"GROUP {oid}: admin added\n"
    shell.ok("onegroup update devs -a -", 'NOTE="n"')
    assert field(shell.ok("onegroup show"), "NAME") == "oneadmin"
    shell.ok("oneuser delete boss")
    shell.ok("onegroup delete devs")


@pytest.mark.parametrize(("command", "name"), [("oneuser", "quota-user"), ("onegroup", "quota-group")])
def test_quotas(shell: Shell, command: str, name: str, tmp_path: Path) -> None:
    """quota, batchquota and defaultquota, from a file, a pipe and an editor."""
    oids = [
        shell.created(f"{command} create {name}{n}" + (" pw" if command == "oneuser" else "")) for n in "ab"
    ]
    (tmp_path / "limits").write_text("VM=[VMS=5,CPU=2.5]\nDATASTORE=[ID=1,IMAGES=4]")
    shell.ok(f"{command} quota {name}a {tmp_path}/limits")
    assert shell.cells(command, oids[0], "VMS") == ["0 /   5"]
    shell.ok(f"{command} batchquota {','.join(oids)} -", "VM=[VMS=7]")
    assert [shell.cells(command, oid, "VMS") for oid in oids] == [["0 /   7"]] * 2
    shown = shell.ok(f"{command} show {name}a")
    assert re.search(r"^ +1 +0 / +4 ", shown, re.M), "the datastore's limit is still there"
    shell.edit_with('s/VMS="7"/VMS="9"/')
    shell.ok(f"{command} quota {name}a", terminal=True)
    assert shell.cells(command, oids[0], "VMS") == ["0 /   9"]
    shell.ok(f"{command} defaultquota -", "VM=[VMS=11]")
    shell.ok(f"{command} quota {name}b -", "VM=[VMS=-1]")
    assert shell.cells(command, oids[1], "VMS") == ["0 /  11"]
    shell.edit_with('s/VMS="11"/VMS="-2"/')
    shell.ok(f"{command} defaultquota", terminal=True)
    assert shell.cells(command, oids[1], "VMS") == ["0 /   -"]
    shell.edit_with("s/nothing at all/x/")
    assert shell.run(f"{command} batchquota {name}a", terminal=True).err == "Nothing was changed.\n"
    assert shell.refused(f"{command} quota {name}a -", "VM=[VMS").startswith(f"[one.{command[3:]}.quota]")
    shell.ok(f"{command} delete {','.join(oids)}")


def test_users(shell: Shell, tmp_path: Path) -> None:
    """oneuser create passwd chauth chgrp addgroup delgroup enable disable umask update encode passwdsearch"""
    (tmp_path / "pw").write_text("from-a-file\n")
    oid = shell.created("oneuser create jo --group oneadmin,users", "typed\n")
    assert field(shell.ok("oneuser show jo --user jo --password typed"), "SECONDARY GROUPS") == "0,1"
    shell.ok(f"oneuser passwd jo {tmp_path}/pw --read-file")
    assert field(shell.ok("oneuser show --user jo --password from-a-file"), "ID") == oid
    shell.ok(f"oneuser umask {oid} 027")
    shell.ok("oneuser update jo -a -", 'EMAIL="jo@example.org"')
    shown = shell.ok("oneuser show jo")
    assert 'UMASK="027"' in shown and 'EMAIL="jo@example.org"' in shown
    shell.ok("oneuser umask jo")
    assert "UMASK" not in shell.ok("oneuser show jo") and "EMAIL" in shell.ok("oneuser show jo")
    assert "expected three digits" in shell.refused("oneuser umask jo 088")
    shell.ok("oneuser delgroup jo users")
    shell.ok("oneuser addgroup jo users")
    shell.ok("oneuser chgrp jo users")
    shell.ok("oneuser disable jo")
    assert shell.cells("oneuser", oid, "ENABLED,GROUP") == ["no", "users"]
    shell.ok("oneuser enable jo")
    assert shell.ok("oneuser chauth jo x509 -v '/C=DE/CN=Jo Doe' --x509").endswith("password changed\n")
    found = shell.ok("oneuser passwdsearch x509 '/C=DE/CN=Jo\\20Doe' --csv")
    assert found == f"ID,NAME,AUTH,PASSWORD\n{oid},jo,x509,/C=DE/CN=Jo\\20Doe\n"
    tree = ElementTree.fromstring(shell.ok("oneuser passwdsearch x509 '/C=DE/CN=Jo\\20Doe' -x"))
    assert [user.findtext("NAME") for user in tree] == ["jo"]
    assert "jo" not in shell.ok("oneuser passwdsearch x509 other")
    assert shell.ok("oneuser encode 'jo doe' 'a b%/@'") == "jo%20doe:a%20b%25/@\n"
    assert "several drivers" in shell.refused("oneuser create x y --ssh --x509")
    assert "--key is missing" in shell.refused("oneuser create x --ssh")
    assert "white space" in shell.refused("oneuser create x 'a b'")
    shell.ok("oneuser delete jo")


def test_login_tokens(shell: Shell) -> None:
    """oneuser login token-create token-set token-delete token-delete-all: tokens and credentials files."""
    shell.created("oneuser create kim secret")
    own = Shell(shell.frontend, shell.home / "kim")
    own.variables["ONE_AUTH"] = str(own.home / ".one" / "one_auth")
    said = own.ok("oneuser login kim --stdin_password --time 600", "secret")
    token = said.split()[-1].removeprefix("kim:")
    credentials = own.home / ".one" / "one_auth"
    assert said == f"Authentication Token is:\nkim:{token}\n" and credentials.read_text() == f"kim:{token}"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert field(own.ok("oneuser show"), "NAME") == "kim"
    said = own.ok("oneuser token-create", "n\n")
    assert said.splitlines()[1] == f"File {credentials} exists, use --force to overwrite."
    assert credentials.read_text() == f"kim:{token}"
    second = own.ok("oneuser token-create kim --force --group users", "secret\n").split(":")[-1].strip()
    assert credentials.read_text() == f"kim:{second}"
    assert own.refused("oneuser token-create kim", "wrong\n").startswith(
        "[one.user.info] User couldn't be authenticated"
    )
    exported = own.ok(f"oneuser token-set kim --token {token[:8]}", "secret\n")
    path = re.fullmatch(r"export ONE_AUTH=(\S+); export ONE_EGID=-1\n", exported)
    assert path and Path(path[1]).read_text() == f"kim:{token}"
    assert own.ok("oneuser token-set --group users").endswith("; export ONE_EGID=1\n")
    assert own.ok("oneuser token-set kim --global", "secret\n").endswith("; export ONE_EGID=-1\n")
    assert "one of --token, --group and --global" in own.refused("oneuser token-set")
    assert "expected the name of a user" in own.refused("oneuser token-set 3 --global")
    own.variables["ONE_AUTH"] = str(own.home / "password")
    (own.home / "password").write_text("kim:secret")
    assert own.ok(f"oneuser token-delete {token[:8]}") == f"Token removed.\nRemoving {path[1]}\n"
    assert "no token starts" in own.refused(f"oneuser token-delete {token[:8]}")
    assert own.ok(f"oneuser token-delete kim {second[:9]}", "secret\n").startswith("Token removed.\n")
    own.ok("oneuser token-create --force")
    kept = (own.home / "password").read_text()
    assert own.ok("oneuser login kim --time 0 --force", "secret\n") == "Tokens of kim have ended.\n"
    assert (own.home / "password").read_text() == kept
    assert "LOGIN_TOKEN" not in shell.ok("oneuser show kim -x")
    (own.home / "password").write_text("kim:secret")
    own.ok("oneuser token-create --force")
    assert shell.ok("oneuser token-delete-all kim -v") == "USER kim: Tokens expired\n"
    assert "LOGIN_TOKEN" not in shell.ok("oneuser show kim -x")
    shell.ok("oneuser delete kim")


def test_keys_and_certificates(shell: Shell, tmp_path: Path) -> None:
    """oneuser key, and users of the driver ssh: the front-end's own driver accepts what is signed."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    openssl = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/C=DE/CN=Jo Doe",
    ]
    subprocess.run([*openssl, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    public = shell.ok(f"oneuser key -k {key}").strip()
    shell.created(f"oneuser create keyed --ssh -k {key}")
    assert field(shell.ok("oneuser show keyed"), "PASSWORD") == public
    own = Shell(shell.frontend, shell.home / "keyed")
    own.variables["ONE_AUTH"] = str(own.home / "auth")
    own.ok(f"oneuser login keyed --ssh --key {key} --time 600")
    assert field(own.ok("oneuser show"), "AUTH_DRIVER") == "ssh"
    shell.ok(f"oneuser chauth keyed --x509 -c {cert}")
    assert field(shell.ok("oneuser show keyed"), "PASSWORD") == "/C=DE/CN=Jo\\20Doe"
    shell.ok(f"oneuser passwd keyed --x509 --cert {cert}")
    # No authority that the front-end knows vouches for the certificate.
    refusal = own.refused(f"oneuser login keyed --x509 -c {cert} -k {key} --force")
    assert refusal.startswith("[one.user.info] User couldn't be authenticated")
    # The certificate is its own authority: trusted once it lies where the front-end keeps those.
    digest = subprocess.run(
        ["openssl", "x509", "-noout", "-hash", "-in", str(cert)], check=True, capture_output=True, text=True
    ).stdout.strip()
    trusted = shell.frontend.folder / "etc/auth/certificates" / f"{digest}.0"
    trusted.parent.mkdir(parents=True, exist_ok=True)
    trusted.write_text(cert.read_text())
    own.ok(f"oneuser login keyed --x509 -c {cert} -k {key} --force")
    assert field(own.ok("oneuser show"), "AUTH_DRIVER") == "x509"
    trusted.unlink()
    (tmp_path / "proxy").write_text(cert.read_text() + key.read_text())
    assert own.refused(f"oneuser login keyed --x509_proxy --proxy {tmp_path}/proxy").startswith(
        "[one.user.info]"
    )
    (tmp_path / "bad").write_text("no key")
    assert "is not an RSA key" in shell.refused(f"oneuser key -k {tmp_path}/bad")
    assert "cannot be read" in shell.refused("oneuser key -k /nowhere")
    assert "--cert is missing" in own.refused("oneuser login keyed --x509")
    shell.ok("oneuser delete keyed")
