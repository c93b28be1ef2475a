"""The command line of onedb: commands, options, exit codes, and which database they are about."""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path

import pytest

from services.oned.fsck import SUBJECTS
from services.oned.onedb import commands, target
from services.oned.onedb.commands import COMMANDS
from services.oned.onedb.errors import OnedbError
from tests.support.onedb import Onedb, stock_conf
from tests.support.zone import ROOT

# Of OpenNebula 6.0's command: names, whether arguments may be left out, letters of options.
ORIGINAL = {
    "backup": ("output_file?", "f"),
    "change-body": ("object xpath value?", "adeix"),
    "change-history": ("xpath value", "i"),
    "create-index": ("", ""),
    "fsck": ("", "bf"),
    "history": ("", ""),
    "patch": ("file", "b"),
    "purge-done": ("", "es"),
    "purge-history": ("", "es"),
    "restore": ("backup_file", "f"),
    "show-body": ("object", "i"),
    "show-history": ("", "i"),
    "sqlite2mysql": ("", "b"),
    "update-body": ("object", "i"),
    "update-history": ("", "i"),
    "upgrade": ("version?", "bf"),
    "vcenter-one54": ("", "bf"),
    "version": ("", ""),
}


def test_every_command_of_the_original_is_there() -> None:
    for name, (arguments, letters) in ORIGINAL.items():
        command = COMMANDS[name]
        shown = [
            f"{word.removesuffix('_of_change')}{'?' if is_optional else ''}"
            for word, is_optional in command.arguments
        ]
        assert " ".join(shown) == arguments, name
        own = {word[1] for option in command.options for word in option.names if word[1] != "-"}
        assert set(letters) <= own, name


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help(onedb: Onedb, words: tuple[str, ...]) -> None:
    shown = onedb.done(*words)
    for name in COMMANDS:
        assert f"  {name}" in shown


def test_help_of_one_command(onedb: Onedb) -> None:
    assert "--federated" in onedb.done("backup", "--help")


def test_version_of_the_program(onedb: Onedb) -> None:
    for words in (("-V",), ("--version",), ("fsck", "-V")):
        assert "6.0.0.3" in onedb.done(*words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nix",), "there is no command 'nix'"),
        (("backup", "--nix"), "unrecognized arguments: --nix"),
        (("restore",), "required: backup_file"),
        (("backup", "a", "b"), "unrecognized arguments: b"),
        (("show-body", "vm", "--id", "x"), "expected a number, found 'x'"),
        (("version", "-t", "postgresql"), "PostgreSQL"),
        (("version", "-t", "oracle"), "'oracle'"),
        (("version", "-P", "x", "-u", "a", "-d", "b", "-p", "c"), "--port"),
        (("version", "-S", "here"), "MySQL option USER is needed"),
        (("version", "-u", "a"), "MySQL option DBNAME is needed"),
        (("import-slave",), "not available in this version"),
        (("vcenter-one54",), "not available in this version"),
        (("create-index",), "not supported for the SQLite backend"),
    ],
)
def test_wrong_use(onedb: Onedb, words: tuple[str, ...], said: str) -> None:
    assert said in onedb.refused(*words)


# -- version -----------------------------------------------------------------------------------------------
def test_a_current_database(onedb: Onedb) -> None:
    assert onedb.done("version").splitlines() == [
        "Shared: 6.0.0",
        "Local:  6.0.0",
        "Required shared version: 6.0.0",
        "Required local version:  6.0.0",
    ]
    assert "Comment:   OpenNebula 6.0.0.3 (Onebox) daemon bootstrap" in onedb.done("version", "-v")
    assert "Version:   6.0.0" in onedb.done("history")


@pytest.mark.parametrize(
    ("shared", "local", "code"),
    [("5.12.0", "5.12.0", 2), ("6.0.0", "5.12.0", 2), ("6.10.0", "6.0.0", 3), ("5.12.0", "6.2.0", 3)],
)
def test_other_versions(onedb: Onedb, shared: str, local: str, code: int) -> None:
    onedb.change("UPDATE db_versioning SET version = ?", shared)
    onedb.change("UPDATE local_db_versioning SET version = ?", local)
    ran = onedb.run("version", "-v")
    assert ran.code == code and shared in ran.out and local in ran.out


@pytest.mark.parametrize(("own", "code"), [(0, 0), (99, 3)])
def test_versions_of_our_tables(onedb: Onedb, own: int, code: int) -> None:
    onedb.change("UPDATE onebox_versioning SET version = ?", own)
    assert onedb.run("version").code == code


def test_a_database_of_opennebula_itself_is_current(onedb: Onedb) -> None:
    for (table,) in onedb.rows("SELECT name FROM sqlite_master WHERE name LIKE 'onebox%' AND type = 'table'"):
        onedb.rows(f"DROP TABLE {table}")
    assert onedb.run("version").code == 0


def test_no_database(onedb: Onedb) -> None:
    onedb.file.unlink()
    assert "not correctly bootstraped" in onedb.refused("version", code=1)
    assert not onedb.file.exists()
    assert "doesn't exist" in onedb.refused("fsck")
    onedb.file.touch()
    assert "not correctly bootstraped" in onedb.refused("version", code=1)
    onedb.file.write_text("this is no database, by no means, it is a text of more than 100 characters " * 3)
    assert "not a database" in onedb.refused("version")


def test_the_server_does_not_answer(onedb: Onedb) -> None:
    words = ("-S", "127.0.0.1", "-P", "9", "-u", "one", "-p", "s3cret", "-d", "x")
    said = onedb.refused("version", *words)
    assert "cannot be reached" in said and "s3cret" not in said


# -- which database ----------------------------------------------------------------------------------------
def options(*words: str) -> Namespace:
    return commands.parse(COMMANDS["version"], list(words))


def test_options_name_a_file(onedb: Onedb, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    shutil.copy(onedb.file, other)
    onedb.file.unlink()
    for word in ("-s", "--sqlite"):
        assert onedb.run("version", word, str(other)).code == 0
    assert target.find(options("-t", "sqlite")).conf.path == onedb.file


def test_options_name_a_server(onedb: Onedb, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = target.find(options("-u", "me", "-p", "pw", "-d", "mine")).conf
    assert (conf.backend, conf.server, conf.port, conf.name) == ("mysql", "localhost", 0, "mine")
    monkeypatch.setenv("ONE_DB_PASSWORD", "from the environment")
    assert target.find(options("-u", "me", "-d", "mine")).conf.password == "from the environment"


def test_what_is_left_out_comes_from_oned_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    section = 'DB=[BACKEND=mysql,SERVER=db,PORT=3307,USER=one,PASSWD="p#w",DB_NAME=nebula,SOCKET="/s"]'
    Onedb(tmp_path, section)
    conf = target.find(options()).conf
    assert (conf.server, conf.port, conf.user, conf.password) == ("db", 3307, "one", "p#w")
    conf = target.find(options("-d", "other")).conf
    assert (conf.socket, conf.user, conf.password, conf.name) == ("/s", "one", "p#w", "other")
    conf = target.find(options("-S", "far", "-P", "1")).conf
    assert (conf.server, conf.port, conf.socket) == ("far", 1, "")
    # Another user has another password.
    monkeypatch.setenv("ONE_DB_PASSWORD", "theirs")
    assert target.find(options("-u", "them")).conf.password == "theirs"


def test_the_stock_configuration_is_read(onedb: Onedb, tmp_path: Path) -> None:
    (tmp_path / "etc/oned.conf").write_text(stock_conf())
    assert onedb.run("version").code == 0
    (tmp_path / "etc/oned.conf").write_text('DB = [ BACKEND = "oracle" ]')
    assert "oned.conf" in onedb.refused("version")
    (tmp_path / "etc/oned.conf").unlink()
    assert "oned.conf" in onedb.refused("version")
    assert onedb.run("version", "--sqlite", str(onedb.file)).code == 0


@pytest.mark.parametrize(
    ("words", "begins", "ends"),
    [
        ((), "one.db_", ".bck"),
        (("-u", "a", "-p", "b", "-d", "neb", "-S", "srv"), "mysql_srv_neb_", ".sql"),
    ],
)
def test_names_of_backups(onedb: Onedb, words: tuple[str, ...], begins: str, ends: str) -> None:
    found = target.find(options(*words))
    for federated, middle in ((False, ""), (True, "federated_")):
        file = found.backup_file(federated=federated)
        assert file.parent == onedb.file.parent
        assert file.name.startswith(f"{begins}{middle}20") and file.name.endswith(ends)
        file.touch()
        assert found.backup_file(federated=federated) != file


def test_the_password_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    monkeypatch.delenv("ONE_DB_PASSWORD", raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed at {prompt}")
    assert target.find(options("-u", "a", "-d", "b")).conf.password == "typed at MySQL Password: "

    def closed(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", closed)
    with pytest.raises(OnedbError, match="no password was given"):
        target.find(options("-u", "a", "-d", "b"))


# -- manual ------------------------------------------------------------------------------------------------
def test_the_manual_says_everything() -> None:
    manual = (ROOT / "docs/onedb.md").read_text(encoding="utf-8")
    for command in COMMANDS.values():
        assert f"`{command.name}" in manual, command.name
        for option in command.options:
            assert any(word in manual for word in option.names), (command.name, option.names)
    for option in commands.GLOBAL:
        assert option.dest == "shows_version" or option.names[-1] in manual, option.names
    for subject in SUBJECTS:
        name = subject.name.removeprefix("shared ")
        assert f"| {name} |" in manual or name == "quota documents", name
