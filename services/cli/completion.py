"""What could stand next in a command line: subcommands, options, names and ids of objects.

A shell asks by ``onevm __complete WORD...``, the last word being the one that is written. Everything comes
from the declarations, so that the shells' own files (written by generate.py) know nothing but this question.
Answers are lines ``word<TAB>explanation``. When the front-end does not answer there are no objects, quietly.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from services.cli import kinds, main, parse
from services.cli.decl import GLOBAL_OPTIONS, Command, Opt, Sub
from services.cli.errors import CliError
from services.cli.kinds import Kind

ASK = "__complete"
FILES = "__files__"  # the answer that leaves it to the shell to propose files
_TIMEOUT_S = "2"  # a shell must not hang
_POOL_MAX = 2000
_CHOICES = {
    "operator": ("AND", "OR"),
    "image_type": ("OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT"),
    "octet": ("600", "640", "644", "660"),
    "unit": ("K", "M", "G", "T"),
}
_FILTER_FLAGS = (("a", "all"), ("m", "mine"), ("g", "mine and my groups'"), ("G", "my primary group's"))
Answer = tuple[str, str]


def run(name: str, words: Sequence[str]) -> int:
    """Print the answers for a command line without the command; always 0."""
    os.environ.setdefault("ONE_XMLRPC_TIMEOUT", _TIMEOUT_S)
    # bash hands --list=ID over as three words
    line = [word for word in words[:-1] if word != "="] + [words[-1] if words[-1:] not in ([], ["="]) else ""]
    try:
        answers = list(_answers(main.command_named(name), line))
    except CliError:
        return 0
    for word, about in answers:
        sys.stdout.write(f"{word}\t{about}\n")
    return 0


def _answers(command: Command, words: list[str]) -> Iterator[Answer]:
    *before, current = words
    try:
        sub = parse.find_sub(command, before)[0]
    except CliError:  # no subcommand, or the first word of one with two (vm import)
        start = " ".join(before) + " "
        names = [
            (one.name[len(start) :], one.help) for one in command.subs.values() if one.name.startswith(start)
        ]
        yield from _starting(names, current)
        return
    if sub is None:
        yield from _starting(
            [(one.name.partition(" ")[0], one.help) for one in command.subs.values() if one.name], current
        )
        if current.startswith("-"):
            yield from _options(GLOBAL_OPTIONS, current)
        return
    options = (*sub.options, *GLOBAL_OPTIONS)
    waiting = _waiting_for_value(options, before)
    if waiting is not None:
        yield from _values(command, waiting.type, waiting.name, current)
    elif current.startswith("-") and "=" in current:
        option_word, _, value = current.partition("=")
        found = next((option for option in options if f"--{option.name}" == option_word), None)
        if found is not None and found.metavar:
            for word, about in _values(command, found.type, found.name, value):
                yield (word if word == FILES else f"{option_word}={word}"), about
    elif current.startswith("-"):
        yield from _options(options, current)
    else:
        spec = _argument(sub, options, before)
        if spec is not None:
            yield from _values(command, spec.type, spec.name, current)
        else:
            yield from _options(options, current)


def _waiting_for_value(options: Sequence[Opt], before: list[str]) -> Opt | None:
    """The option whose value is written now."""
    last = before[-1] if before else ""
    for option in options:
        if option.metavar and last in (f"--{option.name}", f"-{option.short}" if option.short else None):
            return option
    return None


def _argument(sub: Sub, options: Sequence[Opt], before: list[str]) -> Any:
    """The argument that is written now, None when there are enough."""
    try:
        _, words = parse.split(options, before, "")
    except CliError:
        return None
    specs = sub.arg_specs()
    at = len(words) - len(sub.name.split())
    return specs[at] if at < len(specs) else None


def _options(options: Sequence[Opt], current: str) -> Iterator[Answer]:
    yield from _starting([(f"--{option.name}", option.help) for option in options], current)


def _values(command: Command, type_name: str, name: str, current: str) -> Iterator[Answer]:
    """What an argument or option of that type can be."""
    kind_name = type_name.removesuffix("_list").removesuffix("_or_all")
    if kind_name in kinds.BY_ARG:
        yield from _objects(command, kinds.BY_ARG[kind_name], type_name, current)
    elif type_name == "file" or name in ("file", "path", "cacert", "startscript", "ssh"):
        yield FILES, ""
    elif name == "filterflag":
        yield from _starting(list(_FILTER_FLAGS), current)
        yield from _objects(command, kinds.USER, "userid", current)
    elif name in ("list", "filter", "size", "adjust", "expand"):
        head, comma, last = current.rpartition(",")
        for word, about in _columns(command, last):
            yield f"{head}{comma}{word}", about
    elif name in ("disk", "nic"):
        head, comma, last = current.rpartition(",")
        for word, about in _objects(command, kinds.IMAGE if name == "disk" else kinds.VNET, "", last):
            yield f"{head}{comma}{word}", about
    elif name == "state" and command.name == "onevm":
        from services.cli.views import vm_states

        yield from _starting([(word, "") for word in (*vm_states.STATES, *vm_states.LCM_STATES)], current)
    else:
        choices = _CHOICES.get(type_name) or _CHOICES.get(name) or ()
        yield from _starting([(word, "") for word in choices], current)


def _columns(command: Command, current: str) -> Iterator[Answer]:
    from services.cli.decl import load

    shown = command.subs.get("list")
    if shown is not None and shown.view is not None:
        yield from _starting([(c.name, c.desc) for c in load(shown.view).columns], current.upper())


def _objects(command: Command, kind: Kind, type_name: str, current: str) -> Iterator[Answer]:
    """Names and ids of the objects that the user may see; the last of a list is the one that is written."""
    from services.cli.invocation import Invocation
    from services.common.oca import EndpointError, OneError

    head, comma = "", ""
    if type_name.endswith("_list"):
        head, comma, current = current.rpartition(",")
    sub = next(iter(command.subs.values()))
    try:
        pool = Invocation(command, sub, parse.Options({})).names.pool(kind)
    except (CliError, EndpointError, OneError):
        return
    found = [(str(oid), name) for oid, name in pool[:_POOL_MAX]]
    if not current or not current.isdigit():
        found += [(name, f"id {oid}") for oid, name in pool[:_POOL_MAX] if name and " " not in name]
    for word, about in _starting(found, current):
        yield f"{head}{comma}{word}", about


def _starting(answers: Sequence[Answer], current: str) -> list[Answer]:
    return [answer for answer in answers if answer[0].startswith(current)]
