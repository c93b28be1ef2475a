"""Command lines: options and words, in any order, as GNU programs read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.cli.decl import GLOBAL_OPTIONS, Command, Opt, Sub
from services.cli.errors import CliError, hint


class Options:
    """Option values by name (dashes become underscores); options that were not given are None."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        return None


def split(
    options: Sequence[Opt], words: Sequence[str], command: str
) -> tuple[dict[str, str | bool], list[str]]:
    """Raw option values by option name, and the other words. Raises CliError."""
    long = {option.name: option for option in options}
    short: dict[str, Opt] = {}
    for option in options:
        if option.short:
            short.setdefault(option.short, option)  # the subcommand's own come first
    values: dict[str, str | bool] = {}
    rest: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            rest += queue
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            option = _long_option(name, long, command)
            if option.metavar is None:
                if equals:
                    raise CliError(f"{command}: option --{option.name} takes no value, found {value!r}")
                values[option.name] = True
            else:
                values[option.name] = value if equals else _value(option, queue, command)
        elif word.startswith("-") and len(word) > 1 and (not word[1].isdigit() or word[1] in short):
            _short_options(word, short, queue, values, command)
        else:
            rest.append(word)
    return values, rest


def _short_options(
    word: str, short: dict[str, Opt], queue: list[str], values: dict[str, str | bool], command: str
) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        option = short.get(letter)
        if option is None:
            raise CliError(f"{command}: unknown option -{letter}")
        if option.metavar is None:
            values[option.name] = True
        else:
            values[option.name] = letters.removeprefix("=") or _value(option, queue, command)
            return


def _long_option(name: str, long: dict[str, Opt], command: str) -> Opt:
    if name in long:
        return long[name]
    starting = [candidate for candidate in long if candidate.startswith(name)] if name else []
    if len(starting) == 1:
        return long[starting[0]]
    if starting:
        raise CliError(
            f"{command}: option --{name} is ambiguous: {', '.join('--' + s for s in sorted(starting))}"
        )
    raise CliError(f"{command}: unknown option --{name}.{hint(name, long).replace('mean ', 'mean --')}")


def _value(option: Opt, queue: list[str], command: str) -> str:
    if option.optional:
        return queue.pop(0) if queue and not queue[0].startswith("-") else ""
    if not queue:
        raise CliError(f"{command}: option --{option.name} needs a value ({option.metavar})")
    return queue.pop(0)


def find_sub(command: Command, words: Sequence[str]) -> tuple[Sub | None, list[str]]:
    """The subcommand that a command line names, and the words without it.

    Options may stand before the subcommand, so the values of the global ones are skipped. A command that has
    no subcommands (oneacct) declares one without a name; names can have two words (``vm import``).
    """
    if "" in command.subs:
        return command.subs[""], list(words)
    taking = {f"--{option.name}" for option in GLOBAL_OPTIONS if option.metavar}
    at = 0
    while at < len(words):
        if words[at] in taking:
            at += 2
        elif words[at].startswith("-"):
            at += 1
        else:
            break
    if at >= len(words):
        return None, list(words)
    name = words[at]
    if at + 1 < len(words) and f"{name} {words[at + 1]}" in command.subs:
        return command.subs[f"{name} {words[at + 1]}"], [*words[:at], *words[at + 2 :]]
    if name not in command.subs:
        raise CliError(
            f"{command.name}: there is no subcommand {name}.{hint(name, command.subs)} "
            f"See {command.name} --help."
        )
    return command.subs[name], [*words[:at], *words[at + 1 :]]


def check_count(command: Command, sub: Sub, words: Sequence[str]) -> None:
    """Raise CliError unless there are as many words as the subcommand has arguments."""
    specs = sub.arg_specs()
    required = sum(spec.required for spec in specs)
    if required <= len(words) <= len(specs) or sub.format == "replaced":
        return
    if len(words) > len(specs):
        found = f"unexpected argument {words[len(specs)]!r}"
    else:
        found = f"argument {specs[len(words)]} is missing"
    raise CliError(f"{sub.path(command.name)}: {found}. Usage: {sub.usage(command.name)}")
