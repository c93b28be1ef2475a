"""How a command is declared.

One Sub per subcommand is the only place that knows its name, arguments, options, call and view: parser, help,
manual page and completion are made from it. Plain classes: a declaration costs microseconds at each start.

Arguments are written as in the manual: ``"vmid_list hostid [datastoreid]"``. A word in brackets may be left
out; the word is the argument's type (argtypes.py) and its name. ``name:text`` gives a name to a type.

Code that only some subcommands need is named by a reference ``"package.module:attribute"`` and imported when
the subcommand runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.cli.kinds import Kind

Reference = str


class Opt:
    """One option. ``metavar`` None makes it a flag; ``optional`` lets its value be left out (then '').

    extra: own addition, not in OpenNebula's commands (shown so in the manual).
    """

    __slots__ = ("name", "short", "metavar", "help", "type", "optional", "extra")

    def __init__(
        self,
        name: str,
        help: str,
        metavar: str | None = None,
        short: str = "",
        type: str = "text",
        optional: bool = False,
        extra: bool = False,
    ) -> None:
        self.name = name
        self.short = short
        self.metavar = metavar
        self.help = help
        self.type = type
        self.optional = optional
        self.extra = extra

    @property
    def key(self) -> str:
        """The option's name as an attribute: no-header becomes no_header."""
        return self.name.replace("-", "_")


class ArgSpec:
    """One positional argument."""

    __slots__ = ("name", "type", "required")

    def __init__(self, name: str, type: str, required: bool) -> None:
        self.name = name
        self.type = type
        self.required = required

    def __str__(self) -> str:
        is_list = self.type.endswith("id_list") and self.name != "range"
        shown = f"range|{self.name}" if is_list else self.name
        return shown if self.required else f"[{shown}]"


class Arg:
    """In a call: the value of a named argument, or the default when it was left out."""

    __slots__ = ("name", "default")

    def __init__(self, name: str, default: Any = None) -> None:
        self.name = name
        self.default = default


class _Id:
    """In a call: the id of the object at hand (the first argument, or one of its list)."""


ID = _Id()


class Sub:
    """One subcommand. A command without subcommands has one whose name is empty.

    call: method and arguments: constants, ID, Arg(...), or a function of the Invocation. Tuples among the
        resulting values are spread (chmod's nine bits).
    run: instead of call, a Reference or function (Invocation) -> exit code or None.
    view: Reference of the list or show view that prints the result.
    done: what -v prints after each object; result: text before a returned id ("ID" prints "ID: 7").
    extra: own addition, not in OpenNebula's commands (shown so in the manual).
    format: ``top`` for a list that goes on, ``replaced`` for a subcommand that only says what to use.
    """

    __slots__ = (
        "name",
        "args",
        "help",
        "options",
        "call",
        "run",
        "view",
        "done",
        "result",
        "extra",
        "format",
    )

    def __init__(
        self,
        name: str,
        args: str,
        help: str,
        *,
        options: tuple[Opt, ...] = (),
        call: tuple[Any, ...] | None = None,
        run: Reference | Callable[..., Any] | None = None,
        view: Reference | None = None,
        done: str = "",
        result: str = "",
        extra: bool = False,
        format: str = "",
    ) -> None:
        self.name = name
        self.args = args
        self.help = help
        self.options = options
        self.call = call
        self.run = run
        self.view = view
        self.done = done or name
        self.result = result
        self.extra = extra
        self.format = format

    def arg_specs(self) -> list[ArgSpec]:
        """The declared arguments, in order."""
        return [_arg_spec(word) for word in self.args.split()]

    def path(self, command: str) -> str:
        """``onevm show``; the command alone where it has no subcommands."""
        return f"{command} {self.name}".rstrip()

    def usage(self, command: str) -> str:
        """``onevm show vmid [options]`` without the options."""
        return " ".join([self.path(command), *(str(spec) for spec in self.arg_specs())])


class Command:
    """One command: its subcommands and what they are about."""

    __slots__ = ("name", "kind", "help", "subs")

    def __init__(self, name: str, kind: Kind, help: str, subs: list[Sub]) -> None:
        self.name = name
        self.kind = kind
        self.help = help
        self.subs = {sub.name: sub for sub in subs}


def _arg_spec(word: str) -> ArgSpec:
    required = not word.startswith("[")
    name, _, type_name = word.strip("[]").partition(":")
    return ArgSpec(name, type_name or name, required)


GLOBAL_OPTIONS = (
    Opt("verbose", "say what is done", short="v"),
    Opt("help", "show this help", short="h"),
    Opt("version", "show version and exit", short="V"),
    Opt("user", "name of the user to connect as", "name"),
    Opt("password", "password of that user; asked for when left out", "password"),
    Opt("endpoint", "address of the front-end's XML-RPC interface", "url"),
    Opt("cacert", "file with the certificates that an https endpoint is checked with", "file", extra=True),
)


def load(reference: Reference | Callable[..., Any]) -> Any:
    """The object that a reference names."""
    if not isinstance(reference, str):
        return reference
    module, _, attribute = reference.partition(":")
    return getattr(__import__(module, fromlist=[attribute]), attribute)
