"""The declarations themselves: complete, resolvable, and a part of the original's commands."""

from __future__ import annotations

import csv
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from services.cli import VERSION, argtypes, decl, listconf, main
from services.cli.decl import Command
from services.common import paths

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = [
    "onevm", "onehost", "onetemplate", "oneuser", "onegroup", "onedatastore", "onecluster", "oneacct",
    "oneacl", "onehook", "onemarket", "onemarketapp", "onesecgroup", "oneshowback", "onevdc",
    "onevmgroup", "onevnet", "onevntemplate", "onevrouter", "onezone",
]  # fmt: skip


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> Command:
    """Each command in turn."""
    return main.command_named(request.param)


def test_every_reference_and_type_exists(command: Command) -> None:
    known = set(argtypes.known_types())
    for sub in command.subs.values():
        assert sub.help and not sub.help.endswith(".")
        assert sub.call is not None or sub.run is not None
        for reference in (sub.run, sub.view):
            if reference is not None:
                assert decl.load(reference) is not None
        for spec in sub.arg_specs():
            assert spec.type in known, f"{command.name} {sub.name}: {spec.type}"
        for option in sub.options:
            assert option.help and (option.metavar is None or option.type in known)


def test_no_option_hides_another(command: Command) -> None:
    for sub in command.subs.values():
        longs = [option.name for option in (*sub.options, *decl.GLOBAL_OPTIONS)]
        shorts = [option.short for option in sub.options if option.short]
        assert len(longs) == len(set(longs)) and len(shorts) == len(set(shorts)), sub.name


def test_words_are_those_of_the_original(shared_folder: Path, command: Command) -> None:
    """Arguments and options of every subcommand that the original has; extras are declared as such."""
    with open(shared_folder / "spec" / "cli_commands.csv") as file:
        rows = {row["subcommand"]: row for row in csv.DictReader(file) if row["command"] == command.name}
    for sub in command.subs.values():
        row = rows.get(sub.name or "(global)")
        if row is None:
            assert sub.extra or sub.name in ("top",), f"{command.name} {sub.name} is not in the original"
            continue
        ours = " ".join(str(spec) for spec in sub.arg_specs())
        if row["status"] == "deprecated":
            continue
        assert _loosened(ours) == _loosened(row["args"]), sub.name
        theirs = set(re.findall(r"--[a-z0-9_-]+", row["options"]))
        own = {f"--{option.name}" for option in sub.options if not option.extra} - theirs
        assert own <= _OWN.get(sub.name, set()), f"{command.name} {sub.name}"
        letters = re.findall(r"-(\w)/--([\w-]+)", row["options"])
        for short, long in letters:
            if sum(other == short for other, _ in letters) > 1:
                continue  # onevntemplate instantiate: -m means --mac, the later of two
            for option in sub.options:
                if option.name == long:
                    assert option.short == short, f"{sub.name} --{long}"


# Additions of ours, by subcommand.
_OWN = {"top": {"--describe"}}


def _loosened(arguments: str) -> str:
    """Files that may also come on standard input are optional with us."""
    arguments = arguments.replace("[file]", "file").replace(" file", "").replace("[reservation]", "[vnetid]")
    return arguments.removesuffix(" [zone]")  # of an access rule, given part by part


def _list_view(command: Command) -> Any:
    sub = command.subs.get("list") or command.subs[""]
    return decl.load(sub.view or "")


def test_installed_columns_are_the_built_in_ones(command: Command) -> None:
    """share/etc/cli holds the same as the declarations, so that copying it changes nothing."""
    conf = listconf.parse((ROOT / "share" / "etc" / "cli" / f"{command.name}.yaml").read_text())
    view = _list_view(command)
    assert conf.pop("default") == view.default
    assert conf.pop("default_conf", {}) == view.layouts
    conf = {name: value for name, value in conf.items() if name not in ("charters", "default_actions")}
    assert list(conf) == [column.name for column in view.columns]
    for column in view.columns:
        expected = {"desc": column.desc} | ({"size": column.size} if column.size else {})
        expected |= {name: True for name in ("left", "adjust", "expand") if getattr(column, name)}
        assert conf[column.name] == expected


# Aligned left by OpenNebula's programs, although their configuration files do not say so.
_LEFT = {
    ("onehook", "TYPE"), ("onezone", "ENDPOINT"), ("onezone", "FED_INDEX"), ("oneshowback", "USER_NAME"),
    ("oneshowback", "GROUP_NAME"), ("oneshowback", "VM_NAME"),
}  # fmt: skip


def test_columns_are_those_of_the_original(shared_folder: Path, command: Command) -> None:
    with open(shared_folder / "spec" / "cli_columns.csv") as file:
        rows = [r for r in csv.DictReader(file) if r["command"] == command.name and r["column"][0] != "("]
    view = _list_view(command)
    columns = {column.name: column for column in view.columns}
    for row in rows:
        column = columns[row["column"]]
        if not row["width"]:  # STRING of oneacl grows; ZONE of onemarket is in no configuration file
            continue
        is_left = row["left"] == "yes" or (command.name, column.name) in _LEFT
        found = (str(column.size), column.left, column.adjust, bool(column.expand))
        assert found == (row["width"], is_left, *(row[key] == "yes" for key in ("adjust", "expand")))
    ordered = sorted((r for r in rows if r["default_order"]), key=lambda r: int(r["default_order"]))
    assert view.default == [row["column"] for row in ordered]


def test_version_is_the_package_s() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert package["version"] == VERSION


def test_every_command_has_a_launcher() -> None:
    for name in COMMANDS:
        launcher = ROOT / "bin" / name
        assert launcher.is_symlink() and os.access(launcher, os.X_OK)


@pytest.mark.parametrize("prefix", [None, "/somewhere/else"])
def test_configuration_is_looked_for_where_all_files_lie(
    monkeypatch: pytest.MonkeyPatch, prefix: str | None
) -> None:
    if prefix is None:
        monkeypatch.delenv("ONE_LOCATION", raising=False)
    else:
        monkeypatch.setenv("ONE_LOCATION", prefix)
    assert listconf.system_dir() == str(paths.etc() / "cli")
