"""Help texts, made from the declarations."""

from __future__ import annotations

from collections.abc import Iterable

from services.cli.decl import GLOBAL_OPTIONS, Command, Opt

_LEFT = 34


def text(command: Command, sub_name: str | None = None) -> str:
    """The help of a command, or of one of its subcommands."""
    lines = _command_help(command) if sub_name is None else _sub_help(command, sub_name)
    return "\n".join(lines) + "\n"


def _command_help(command: Command) -> list[str]:
    lines = [
        f"{command.name}: {command.help}",
        "",
        f"Usage: {command.name} SUBCOMMAND [ARGUMENTS] [OPTIONS]",
        "",
    ]
    lines.append("Subcommands:")
    for sub in command.subs.values():
        words = " ".join([sub.name, *(str(spec) for spec in sub.arg_specs())])
        lines += _entry(words, sub.help)
    lines += ["", "Options of every subcommand:", *_options(GLOBAL_OPTIONS), ""]
    lines += [
        "Ids are numbers or names; lists are written 1,3,web and ranges 0..5.",
        f"Options of one subcommand: {command.name} SUBCOMMAND --help",
    ]
    return lines


def _sub_help(command: Command, sub_name: str) -> list[str]:
    sub = command.subs[sub_name]
    lines = [f"Usage: {sub.usage(command.name)} [OPTIONS]", "", f"{sub.help[:1].upper()}{sub.help[1:]}."]
    if sub.options:
        lines += ["", "Options:", *_options(sub.options)]
    own = {option.short for option in sub.options if option.short}
    lines += ["", "General options:", *_options(GLOBAL_OPTIONS, own)]
    return lines


def _options(options: Iterable[Opt], taken: Iterable[str] = ()) -> list[str]:
    lines: list[str] = []
    for option in options:
        short = f"-{option.short}, " if option.short and option.short not in taken else "    "
        value = f" {option.metavar}" if option.metavar else ""
        lines += _entry(
            f"{short}--{option.name}{f' [{option.metavar}]' if option.optional else value}", option.help
        )
    return lines


def _entry(left: str, right: str) -> list[str]:
    if len(left) < _LEFT:
        return [f"  {left:<{_LEFT}} {right}"]
    return [f"  {left}", f"  {'':<{_LEFT}} {right}"]
