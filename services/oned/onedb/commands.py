"""The subcommands: names, arguments, options, and the function that does the work.

Options of a subcommand win over general ones that have the same letter, as in OpenNebula: -s is a
time for purge-done, -d means delete for change-body.
"""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from services.oned.onedb.errors import EXIT_FAILURE, OnedbError
from services.oned.onedb.target import Target

Work = Callable[[Target, Namespace], int]


@dataclass(frozen=True)
class Option:
    """One option; ``metavar`` None makes it a flag."""

    names: tuple[str, ...]
    help: str
    metavar: str | None = None
    dest: str | None = None
    type: Callable[[str], Any] = str

    def add_to(self, parser: argparse._ActionsContainer) -> None:
        """Let a parser know it."""
        if self.metavar is None:
            parser.add_argument(*self.names, action="store_true", help=self.help, dest=self.dest)
        else:
            parser.add_argument(
                *self.names, metavar=self.metavar, type=self.type, help=self.help, dest=self.dest
            )


@dataclass(frozen=True)
class Command:
    """One subcommand. ``arguments``: (name, whether it may be left out). ``work``: module and function."""

    name: str
    help: str
    work: str
    arguments: tuple[tuple[str, bool], ...] = ()
    options: tuple[Option, ...] = ()


def _listed(text: str) -> list[str]:
    return text.split(",")


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r}")
    return int(text)


GLOBAL = (
    Option(("-v", "--verbose"), "say more"),
    Option(("-V", "--version"), "show version and exit", dest="shows_version"),
    Option(("-s", "--sqlite"), "SQLite database file", "file"),
    Option(("-t", "--type"), "sqlite or mysql", "type"),
    Option(("-S", "--server"), "MySQL server", "host"),
    Option(("-P", "--port"), "its port", "port"),
    Option(("-u", "--username"), "MySQL user", "user"),
    Option(("-p", "--password"), "its password (better: ONE_DB_PASSWORD, or asked for)", "pass"),
    Option(("-d", "--dbname"), "name of the MySQL database", "dbname"),
    Option(("--encoding",), "of the connection: always utf8mb4, which holds every text", "charset"),
)
_FORCE = Option(("-f", "--force"), "overwrite the file or database that is there")
_BACKUP = Option(("-b", "--backup"), "store the backup in this file", "file")
_NO_BACKUP = Option(("--no-backup",), "make no backup first; not for production")
_FEDERATED = Option(("--federated",), "only the tables that the zones of a federation share")
_START = Option(("-s", "--start"), "from this time on (2023/06/14)", "TIME")
_END = Option(("-e", "--end"), "before this time", "TIME")
_ID = Option(("-i", "--id"), "id of the object", "ID", type=_number)
_SEQ = Option(("--seq",), "number of the history record", "SEQ", type=_number)
_DRY = Option(("--dry",), "print the changed document, write nothing")

_LIVE = "works while the front-end runs"
COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            "version",
            "print the versions of the tables; 0 current, 1 empty, 2 older, 3 newer",
            "version:version",
        ),
        Command("history", "print the upgrades that were made", "version:history"),
        Command(
            "fsck",
            f"check the consistency of the database and repair it; {_LIVE}",
            "fsck:fsck",
            options=(
                _FORCE,
                _BACKUP,
                _NO_BACKUP,
                Option(("--dry", "--dry-run"), "only check; makes no backup", dest="dry"),
            ),
        ),
        Command(
            "upgrade",
            "bring the database to this release's version",
            "upgrade:upgrade",
            (("version", True),),
            (
                _FORCE,
                _BACKUP,
                _NO_BACKUP,
                Option(("--dry-run",), "rehearse on a copy and say how long it takes; changes nothing"),
            ),
        ),
        Command(
            "adopt",
            "take over the database of an OpenNebula front-end, from its MySQL dump (-: standard input)",
            "adopt:adopt",
            (("dump_file", False),),
            (
                _FORCE,
                _BACKUP,
                Option(("--keep-passwords",), "leave the passwords of oneadmin and serveradmin as they are"),
            ),
        ),
        Command(
            "backup",
            f"write the database to a file; {_LIVE}",
            "backup:backup",
            (("output_file", True),),
            (_FORCE, _FEDERATED),
        ),
        Command(
            "restore",
            "put the database back from a file",
            "backup:restore_file",
            (("backup_file", False),),
            (_FORCE, _FEDERATED),
        ),
        Command(
            "purge-history",
            f"remove all but the last two history records of VMs that have not ended; {_LIVE}",
            "purge:purge_history",
            options=(_START, _END, _ID),
        ),
        Command(
            "purge-done",
            f"remove VMs that have ended; {_LIVE}",
            "purge:purge_done",
            options=(_START, _END, Option(("--pages",), "VMs removed in one go", "pages", type=_number)),
        ),
        Command(
            "change-body",
            f"change a value in the documents of objects; {_LIVE}",
            "bodies:change_body",
            (("object", False), ("xpath_of_change", False), ("value", True)),
            (
                _ID,
                Option(("-x", "--xpath"), "only documents that have this", "XPATH"),
                Option(
                    ("-e", "--expr"), "only documents for which this holds: UNAME=joe, TEMPLATE/CPU>1", "EXPR"
                ),
                _DRY,
                Option(("-d", "--delete"), "delete the elements"),
                Option(("-a", "--append"), "add the element where it is missing"),
            ),
        ),
        Command(
            "update-body",
            f"edit the document of an object; {_LIVE}",
            "bodies:update_body",
            (("object", False),),
            (_ID, Option(("--file",), "take the document from this file, ask nobody", "file")),
        ),
        Command(
            "show-body", "print the document of an object", "bodies:show_body", (("object", False),), (_ID,)
        ),
        Command(
            "change-history",
            f"change a value in a history record of a VM; {_LIVE}",
            "records:change_history",
            (("xpath_of_change", False), ("value", False)),
            (_ID, _SEQ, _DRY),
        ),
        Command(
            "update-history",
            f"edit a history record of a VM; {_LIVE}",
            "records:update_history",
            options=(_ID, _SEQ),
        ),
        Command(
            "show-history", "print a history record of a VM", "records:show_history", options=(_ID, _SEQ)
        ),
        Command(
            "patch",
            "apply a patch: SQL statements (.sql), a Python module (.py), or one that is shipped",
            "patch:patch",
            (("file", False),),
            (_BACKUP, Option(("--extra",), "arguments of the patch, with commas", "arg", type=_listed)),
        ),
        Command("sqlite2mysql", "copy an SQLite database into a MySQL one", "", options=(_BACKUP,)),
        Command(
            "create-index",
            "make the full-text index of VMs (MySQL)",
            "index:create_index",
            options=(Option(("--recreate",), "make it again"),),
        ),
        Command(
            "vcenter-one54", "of OpenNebula 5.4: not available in this version", "", options=(_FORCE, _BACKUP)
        ),
        Command("import-slave", "of OpenNebula before 5.4: not available in this version", ""),
    )
}


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OnedbError(f"{self.prog}: {message}. See {self.prog} --help.", EXIT_FAILURE)


def parse(command: Command, words: list[str]) -> Namespace:
    """The options and arguments of a subcommand's words; those that were not given are None or False.

    Raises OnedbError; prints the help and ends the program for --help.
    """
    parser = _Parser(f"onedb {command.name}", description=f"{command.help}.", conflict_handler="resolve")
    for name, is_optional in command.arguments:
        shown = name.removesuffix("_of_change")
        if is_optional:
            parser.add_argument(name, metavar=shown, nargs="?")
        else:
            parser.add_argument(name, metavar=shown)
    general = parser.add_argument_group("general options")
    for option in GLOBAL:
        option.add_to(general)
    own = parser.add_argument_group("options of this subcommand")
    for option in command.options:
        option.add_to(own)
    return parser.parse_intermixed_args(words)


def help_text() -> str:
    """What there is."""
    lines = ["usage: onedb COMMAND [ARGUMENTS] [OPTIONS]", "", "Commands:"]
    lines += [f"  {command.name:<16} {command.help}" for command in COMMANDS.values()]
    lines += ["", "Options of every command:"]
    for option in GLOBAL:
        value = f" {option.metavar}" if option.metavar else ""
        lines.append(f"  {', '.join(option.names) + value:<24} {option.help}")
    lines += [
        "",
        "Without connection options the database is the one of oned.conf.",
        "onedb COMMAND --help says more.",
    ]
    return "\n".join(lines)
