"""From a command line to an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from services.cli import COMPATIBLE_WITH, VERSION, argtypes, parse
from services.cli.decl import GLOBAL_OPTIONS, Command, load
from services.cli.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_PIPE, CliError
from services.cli.invocation import Invocation
from services.cli.parse import Options
from services.common.oca import EndpointError, OneError

_NOT_AUTHENTICATED = 0x0100


def command_named(name: str) -> Command:
    """The declaration of a command: COMMAND of services/cli/commands/<name>.py. Raises CliError."""
    found: Command = command_module(name).COMMAND
    return found


def command_module(name: str) -> Any:
    """The module of a command. Raises CliError when there is none."""
    module = "services.cli.commands." + name.replace("-", "_")
    try:
        return __import__(module, fromlist=["COMMAND"])
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise CliError(f"There is no command {name}.") from None


def run(name: str, words: Sequence[str]) -> int:
    """Run one command; the exit code (0, 255 on errors, 130 when interrupted, 141 when nobody reads on)."""
    try:
        code = _run(name, words)
        sys.stdout.flush()
        return code
    except OneError as error:
        return _fail(_refusal(error, words))
    except (CliError, EndpointError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) has seen enough
        _discard_output()
        sys.stderr.write(
            "The output was closed before its end: read it whole, or list less (--filter, --size).\n"
        )
        return EXIT_PIPE
    except OSError as error:  # a full disk; what concerns the front-end or a named file has its own error
        _discard_output()
        return _fail(f"Output cannot be written: {error.strerror or error}")


def _run(name: str, words: Sequence[str]) -> int:
    module = command_module(name)
    if hasattr(module, "main"):  # a command that does not speak to the interface (onedb) reads its own words
        return int(module.main(list(words)))
    command: Command = module.COMMAND
    if words and words[0] == "__complete":
        from services.cli import completion

        return completion.run(name, words[1:])
    sub, rest = parse.find_sub(command, words)
    if sub is None:
        return _without_sub(command, rest)
    values, arguments = parse.split((*sub.options, *GLOBAL_OPTIONS), rest, sub.path(name))
    if "help" in values:
        return _help(command, sub.name)
    if "version" in values:
        return _version(name)
    parse.check_count(command, sub, arguments)
    options = Options({})
    inv = Invocation(command, sub, options)
    for option in sub.options + GLOBAL_OPTIONS:
        raw = values.get(option.name)
        if raw is not None:
            value: Any = raw
            if raw is not True and not (raw == "" and option.optional):
                value = argtypes.convert(option.type, str(raw), f"--{option.name}", inv.names)
            setattr(options, option.key, value)
    for spec, text in zip(sub.arg_specs(), arguments, strict=False):
        inv.args[spec.name] = argtypes.convert(spec.type, text, f"argument {spec.name}", inv.names)
    handler = load(sub.run) if sub.run is not None else Invocation.perform
    return int(handler(inv) or 0)


def _refusal(error: OneError, words: Sequence[str]) -> str:
    """A refusal as the front-end words it; what to do, when it is about who we are."""
    if error.code != _NOT_AUTHENTICATED:
        return str(error)
    from services.cli import credentials

    user = next((after for word, after in zip(words, words[1:], strict=False) if word == "--user"), None)
    return f"{error} {credentials.advice(user)}"


def _without_sub(command: Command, words: Sequence[str]) -> int:
    values, _ = parse.split(GLOBAL_OPTIONS, words, command.name)
    return _version(command.name) if "version" in values else _help(command, None)


def _help(command: Command, sub_name: str | None) -> int:
    from services.cli import help as help_texts

    sys.stdout.write(help_texts.text(command, sub_name))
    return 0


def _version(name: str) -> int:
    sys.stdout.write(f"{name} (Onebox {VERSION}, compatible with {COMPATIBLE_WITH})\n")
    return 0


def _discard_output() -> None:
    """Let nothing more be flushed into a standard output that takes nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(text: str) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    sys.stderr.write(text + "\n")
    return EXIT_FAILURE
