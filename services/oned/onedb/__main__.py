"""From the command line to an exit code: 0 done, 255 not; version and fsck have codes of their own."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence

from services.oned.onedb import commands, target
from services.oned.onedb.commands import COMMANDS, Command
from services.oned.onedb.errors import EXIT_FAILURE, OnedbError
from services.oned.store import DatabaseError
from services.oned.version import COMPATIBLE_RELEASE

_INTERRUPTED = 130
_NOT_HERE = ("vcenter-one54", "import-slave")


def main(argv: Sequence[str]) -> int:
    """Run a command; the exit code."""
    try:
        code = _run(list(argv))
        sys.stdout.flush()
        return code
    except (OnedbError, DatabaseError) as error:
        sys.stdout.flush()
        print(error, file=sys.stderr)
        return error.code if isinstance(error, OnedbError) else EXIT_FAILURE
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            print(f"onedb: {error}", file=sys.stderr)
            return EXIT_FAILURE
        # The reader (head, less) has seen enough: let nothing more be flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return _INTERRUPTED


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(commands.help_text())
        return 0
    if words[0] in ("-V", "--version"):
        return _print_version()
    command = COMMANDS.get(words[0])
    if command is None:
        raise OnedbError(f"onedb: there is no command {words[0]!r}. See onedb --help.")
    options = commands.parse(command, words[1:])
    if options.shows_version:
        return _print_version()
    if command.name in _NOT_HERE:
        raise OnedbError(f"onedb {command.name}: not available in this version")
    if command.name == "sqlite2mysql":  # about two databases
        from services.oned.onedb import convert

        return convert.sqlite2mysql(options)
    return _work(command)(target.find(options), options)


def _work(command: Command) -> commands.Work:
    module, _, function = command.work.partition(":")
    found: commands.Work = getattr(importlib.import_module(f"services.oned.onedb.{module}"), function)
    return found


def _print_version() -> int:
    print(f"onedb (Onebox, compatible with OpenNebula {COMPATIBLE_RELEASE})")
    return 0


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may hold what the terminal's encoding lacks
    sys.exit(main(sys.argv[1:]))
