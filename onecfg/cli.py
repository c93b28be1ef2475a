"""The command onecfg: its options, what it prints, its exit codes (0 all, 1 some, 255 none or an error)."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from onecfg import commands
from onecfg.errors import OnecfgError
from onecfg.log import Log

ERROR = 255
_LOG_LEVELS = {"verbose": "INFO", "debug": "DEBUG", "ddebug": "DEBUG", "dddebug": "DEBUG"}
_COMMANDS: dict[str, tuple[Callable[[argparse.Namespace, Log], int], str]] = {
    "patch": (commands.patch, "Apply changes to configuration files"),
    "diff": (commands.diff, "Show what differs from the stock configuration files"),
    "status": (commands.status, "Show versions of the front-end and of its configuration"),
    "validate": (commands.validate, "Check that the configuration files can be read"),
    "get": (commands.get, "Print one setting as JSON"),
    "init": (commands.not_available, "Not available in this version"),
    "upgrade": (commands.not_available, "Not available in this version"),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(ERROR)


def run(arguments: Sequence[str]) -> int:
    """Run the command; its exit code."""
    parser = _parser()
    try:
        options, unknown = parser.parse_known_args(arguments)
        if unknown and options.command not in ("init", "upgrade"):
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ERROR
    level = next((level for name, level in _LOG_LEVELS.items() if getattr(options, name)), "WARN")
    level = "DEBUG" if options.debug or options.ddebug or options.dddebug else level
    log = Log(level)
    try:
        code = _COMMANDS[options.command][0](options, log)
        sys.stdout.flush()
        return code
    except OnecfgError as error:
        log.say("FATAL", f"FAILED - {error}")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        log.say("FATAL", "FAILED - interrupted")
    except OSError as error:
        log.say("FATAL", f"FAILED - {error.filename or 'input'}: {error.strerror}")
    return ERROR


def _parser() -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    common.add_argument("-d", "--verbose", action="store_true", help="set verbose logging mode")
    for name in ("debug", "ddebug", "dddebug"):
        common.add_argument(f"--{name}", action="store_true", help="set debug logging mode")
    prefix = _Parser(add_help=False)
    prefix.add_argument("--prefix", type=Path, default=Path("/"), help="root location (default: /)")
    parser = _Parser(prog="onecfg", description="Reads, compares and changes configuration files.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    made = {
        name: subparsers.add_parser(name, help=text, description=text, parents=[common, prefix])
        for name, (_, text) in _COMMANDS.items()
    }
    patch = made["patch"]
    patch.add_argument("file", nargs="?", type=Path, help="file with the changes (default: standard input)")
    patch.add_argument("-a", "--all", action="store_true", help="all changes must apply, or none is saved")
    patch.add_argument("-n", "--noop", action="store_true", help="change nothing, say what would be done")
    patch.add_argument("--format", help="line (one change a line) or yaml; default: by the first line")
    patch.add_argument("--unprivileged", action="store_true", help="do not set owners of files")
    made["diff"].add_argument("files", nargs="*", metavar="file", help="only these files")
    made["diff"].add_argument("--format", default="text", help="text (default), line or yaml")
    made["get"].add_argument("file", help="absolute name of the file, such as /etc/one/oned.conf")
    made["get"].add_argument("path", nargs="?", default="", help="path of the setting, such as DB/BACKEND")
    return parser
