"""Manual pages of the commands, made from their declarations (roff, section 1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.cli import COMPATIBLE_WITH, VERSION
from services.cli.decl import GLOBAL_OPTIONS, Command, Opt, Sub

_FILES = (
    ("~/.one/one_auth", "user:password, or user:token, of the user to connect as"),
    ("~/.one/one_endpoint", "address of the front-end's XML-RPC interface"),
    ("/etc/one/cli, ~/.one/cli", "columns of lists, one file a command"),
)
_ENVIRONMENT = (
    ("ONE_AUTH", "file with user:password, instead of ~/.one/one_auth"),
    ("ONE_XMLRPC", "address of the front-end's XML-RPC interface"),
    ("ONE_XMLRPC_TIMEOUT", "seconds after which a call is given up"),
    ("ONE_CERT_DIR", "folder of certificates that https endpoints are checked with"),
    ("ONE_DISABLE_SSL_VERIFY", "if set, https endpoints are not checked"),
    ("ONE_LISTCONF", "name of the list of columns to use, as --listconf"),
    ("ONE_PAGER", "program that long lists are paged with"),
    ("NO_COLOR", "if set, nothing is coloured or emphasised"),
    ("EDITOR, VISUAL", "editor that update opens"),
)
_EXIT = (
    ("0", "done"),
    ("255", "an error, which standard error tells of"),
    ("130", "interrupted"),
    ("141", "the reader of the output (head, a pager) has left"),
)


def page(command: Command) -> str:
    """The page of one command."""
    return "\n".join(_lines(command)) + "\n"


def _lines(command: Command) -> Iterator[str]:
    name = command.name
    yield f'.TH "{_escaped(name.upper())}" "1" "" "Onebox {VERSION}" "compatible with {COMPATIBLE_WITH}"'
    yield ".SH NAME"
    yield f"{_escaped(name)} \\- {_escaped(command.help)}"
    yield ".SH SYNOPSIS"
    words = " [\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]"
    yield f".B {_escaped(name)}" + ("" if "" in command.subs else " \\fISUBCOMMAND\\fR") + words
    yield ".SH DESCRIPTION"
    yield from _text(
        "Objects are named by id or name. Lists are written 1,3,web and ranges 0..5; what is refused for one "
        "object does not keep the others from being changed."
    )
    yield ".SH SUBCOMMANDS" if "" not in command.subs else ".SH OPTIONS OF THE COMMAND"
    for sub in command.subs.values():
        yield from _sub(command, sub)
    yield ".SH OPTIONS OF EVERY SUBCOMMAND"
    yield from _options(GLOBAL_OPTIONS)
    for head, rows in (("FILES", _FILES), ("ENVIRONMENT", _ENVIRONMENT), ("EXIT STATUS", _EXIT)):
        yield f".SH {head}"
        for left, right in rows:
            yield from (".TP", f".B {_escaped(left)}", _escaped(right))


def _sub(command: Command, sub: Sub) -> Iterator[str]:
    if sub.format == "replaced":
        return
    if sub.name:
        yield f".SS {_escaped(sub.usage(command.name))}"
    about = f"{sub.help[:1].upper()}{sub.help[1:]}."
    yield from _text(about + (" (Not in OpenNebula's commands.)" if sub.extra else ""))
    yield from _options(sub.options)


def _options(options: Iterable[Opt]) -> Iterator[str]:
    for option in options:
        short = f"\\fB\\-{option.short}\\fR, " if option.short else ""
        value = f" \\fI{_escaped(option.metavar)}\\fR" if option.metavar else ""
        if option.optional and option.metavar:
            value = f" [\\fI{_escaped(option.metavar)}\\fR]"
        yield ".TP"
        yield f"{short}\\fB{_escaped('--' + option.name)}\\fR{value}"
        yield _escaped(option.help + (" (not in OpenNebula's commands)" if option.extra else ""))


def _text(text: str) -> Iterator[str]:
    yield ".PP"
    yield _escaped(text)


def _escaped(text: str) -> str:
    """Text as roff reads it; a dot or quote at its beginning would be a command."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    return f"\\&{plain}" if plain[:1] in (".", "'") else plain
