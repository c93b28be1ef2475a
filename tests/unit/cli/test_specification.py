"""Every subcommand and option of OpenNebula's commands is declared, for each command that the product has."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from services.cli import main
from services.cli.decl import GLOBAL_OPTIONS, Command

FOLDER = Path(main.__file__).parent / "commands"
COMMANDS = sorted(
    path.stem.replace("_", "-")
    for path in FOLDER.glob("one*.py")
    if "\nCOMMAND = Command(" in path.read_text() or "\nCOMMAND = " in path.read_text()
)
# Names that OpenNebula has given up itself; they say what to use instead.
DEPRECATED = "deprecated"


def rows_of(shared_folder: Path, command: str) -> list[dict[str, str]]:
    with open(shared_folder / "spec" / "cli_commands.csv") as file:
        return [row for row in csv.DictReader(file) if row["command"] == command]


def options_of(row: dict[str, str]) -> set[tuple[str, str]]:
    """(long name, short letter) of each option of a row."""
    return {(long, short) for short, long in re.findall(r"(?:-(\w)/)?--([a-zA-Z0-9_-]+)", row["options"])}


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> Command:
    """Each command in turn."""
    return main.command_named(request.param)


def test_the_commands_of_virtual_machines_are_there() -> None:
    assert {"onevm", "onetemplate", "onehost", "onedatastore", "oneimage"} <= set(COMMANDS)


def test_nothing_is_left_out(shared_folder: Path, command: Command) -> None:
    rows = rows_of(shared_folder, command.name)
    assert rows, f"{command.name} is not one of OpenNebula's commands"
    lacking = []
    for row in rows:
        if row["status"] == DEPRECATED:
            assert row["subcommand"] in command.subs
            continue
        is_global = row["subcommand"].startswith("(")
        sub = command.subs.get("" if is_global else row["subcommand"])
        if sub is None and not is_global:
            lacking.append(row["subcommand"])
            continue
        options = (*GLOBAL_OPTIONS, *(sub.options if sub else ()))
        letters = {option.short: option.name for option in reversed(options)}
        for long, short in options_of(row):
            if long not in {option.name for option in options}:
                lacking.append(f"{row['subcommand']} --{long}")
            elif short and short not in letters:
                lacking.append(f"{row['subcommand']} -{short} (--{long})")
    assert not lacking


def test_as_many_arguments_are_needed(shared_folder: Path, command: Command) -> None:
    """But for files, which may be left out where standard input is read then."""
    for row in rows_of(shared_folder, command.name):
        sub = command.subs.get(row["subcommand"])
        if sub is None or row["status"] == DEPRECATED:
            continue
        ours, theirs = [str(spec) for spec in sub.arg_specs()], row["args"].split()
        files = {"file", "[file]"}
        assert [word for word in ours if word[0] != "[" and word not in files] == [
            word for word in theirs if word[0] != "[" and word not in files
        ], sub.name
        assert len(ours) >= len(theirs), sub.name
