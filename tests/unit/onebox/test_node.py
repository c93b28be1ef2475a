"""The parts of ``onebox node`` that need no machine: settings of others, choices, files, sudo rules."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from onebox_cli.node import access, machine, wanted
from onebox_cli.node import command as node_command
from onebox_cli.node.item import Finding, OwnFile, Unfit
from onebox_cli.node.settings import Settings, edited
from onebox_cli.ui import Failure

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1dCBub3QgYSByZWFsIG9uZSwgaXMgaXQ/ front-end"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '\n# Set for OpenNebula\'s drivers (onebox node).\nuser = "oneadmin"\n'),
        ("# user\n", '# user\n\n# Set for OpenNebula\'s drivers (onebox node).\nuser = "oneadmin"\n'),
        ('a = 1\n user="root" \nb = 2\n', 'a = 1\nuser = "oneadmin"\nb = 2\n'),
        ('user = "x"\nc = 3\nuser = "y"\n', 'c = 3\nuser = "oneadmin"\n'),
        ('username = "x"\nuser = "oneadmin"\n', 'username = "x"\nuser = "oneadmin"\n'),
    ],
)  # fmt: skip
def test_a_value_is_changed_where_it_stands(before: str, after: str) -> None:
    assert edited(before, {"user": '"oneadmin"'}) == after
    assert edited(after, {"user": '"oneadmin"'}) == after, "once"


def test_settings_find_what_differs(tmp_path: Path) -> None:
    item = Settings("qemu", tmp_path / "qemu.conf", {"user": '"oneadmin"', "dynamic_ownership": "0"})
    assert "user, dynamic_ownership" in item.examine().todo, "no file"
    item.path.write_text('user = "oneadmin"\n#dynamic_ownership = 0\n')
    assert item.examine().found == "not set: dynamic_ownership"


def test_choices(tmp_path: Path) -> None:
    file = tmp_path / "id.pub"
    file.write_text(f"# ours\n{KEY}\n\n")
    found = wanted.of("/srv/ds", "/var/tmp/one", [str(file), KEY], ["br0", "br1:eth1"])
    assert found.keys == (KEY, KEY) and found.datastores == Path("/srv/ds")
    assert found.bridges == (wanted.Bridge("br0"), wanted.Bridge("br1", "eth1"))


@pytest.mark.parametrize(
    ("datastores", "keys", "bridges", "named"),
    [
        ("/", [], [], "--datastores '/'"),
        ("/srv", [], [], "--datastores '/srv'"),
        ("srv/ds", [], [], "--datastores"),
        ("/srv/../etc", [], [], "--datastores"),
        ("/srv/a b", [], [], "--datastores"),
        ("/srv/ds\n", [], [], "--datastores"),
        ("/srv/ds", ["/nowhere/key"], [], "--key"),
        ("/srv/ds", ["ssh-rsa"], [], "--key"),
        ("/srv/ds", ["command=\"id\" " + KEY], [], "--key"),
        ("/srv/ds", [], ["br0;id"], "--bridge"),
        ("/srv/ds", [], ["-br0"], "--bridge"),
        ("/srv/ds", [], [""], "--bridge"),
        ("/srv/ds", [], [":eth1"], "--bridge"),
        ("/srv/ds", [], ["b" * 16], "--bridge"),
    ],
)  # fmt: skip
def test_choices_that_are_refused(datastores: str, keys: list[str], bridges: list[str], named: str) -> None:
    with pytest.raises(Failure, match=named):
        wanted.of(datastores, "/var/tmp/one", keys, bridges)


def test_a_private_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "id_rsa"
    file.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(Failure) as refused:
        wanted.of("/srv/ds", "/var/tmp/one", [str(file)], [])
    assert "c2VjcmV0" not in str(refused.value) and "no public SSH key" in str(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="files of a node are root's")
def test_a_text_that_its_program_refuses_never_gets_there(tmp_path: Path) -> None:
    item = OwnFile("sudo", tmp_path / "rules", "text\n", 0o440, ("grep", "-q", "other"))
    with pytest.raises(Unfit):
        item.apply()
    assert list(tmp_path.iterdir()) == []
    item = OwnFile("sudo", tmp_path / "rules", "text\n", 0o440, ("grep", "-q", "text"))
    item.apply()
    assert item.examine().is_ok
    item.path.chmod(0o644)
    assert item.examine().todo == f"chmod 440 {item.path}"


def test_folders_of_what_runs_as_oneadmin_are_nobody_else_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In /var/tmp anybody may have been there first."""
    folder, link = tmp_path / "one", tmp_path / "link"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setattr(machine, "USER_ID", os.getuid())
    item = machine.Folder("driver actions", folder)
    assert item.examine().todo == f"chmod o-w {folder}"
    with contextlib.suppress(Unfit):  # about the folders above, which are of the test's user alone
        item.apply()
    assert item.examine().is_ok and folder.stat().st_mode & 0o777 == 0o775
    link.symlink_to(folder)
    monkeypatch.setattr(machine, "USER_ID", os.getuid() + 1)
    if os.getuid() == 0:
        os.lchown(link, 12345, 12345)
    item = machine.Folder("driver actions", link)
    assert item.examine().todo == "move it away"
    with pytest.raises(Unfit, match="is a link of user"):
        item.apply()


def test_no_sudo_rule_has_free_parameters() -> None:
    rules = [line for line in access.sudoers().splitlines() if line.startswith("Cmnd_Alias")]
    assert rules
    for command in " = ".join(rules).split("/usr/sbin/")[1:]:
        words = command.split(",")[0].strip().split()
        assert len(words) > 1, f"{command}: a command alone may be called with anything"
        assert "*" not in words, command
    # It writes where its input says.
    assert access.sudoers().count("ipset restore") == 1
    assert "--bounding-set\\=-all\\,+net_admin /usr/sbin/ipset restore -exist" in access.sudoers()


class Stubborn:
    """An item that stays as it is, or says why it cannot be put right."""

    name = "stubborn"

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal

    def examine(self) -> Finding:
        return Finding("no key", "give one: --key FILE")

    def apply(self) -> None:
        if self.refusal:
            raise Unfit(self.refusal)


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ("", "no key: give one: --key FILE"),
        ("there is no interface eth7 to put into br0", "failed: there is no interface eth7 to put into br0"),
    ],
)
def test_what_is_left_to_do_is_said_in_one_line(
    refusal: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(node_command, "_refuse_others", lambda: None)
    monkeypatch.setattr(node_command, "_items", lambda wanted: [(Stubborn(refusal), None)])
    assert node_command.run(wanted.Wanted(), check=False) == 1
    assert capsys.readouterr().out.splitlines() == [f"  TODO  stubborn         {said}", "1 to do: stubborn"]
