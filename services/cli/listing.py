"""``list`` and ``top``: fetch a pool, choose rows and columns, print them in the form that was asked for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, listconf, table
from services.cli.decl import Opt
from services.cli.errors import CliError, hint
from services.cli.kinds import Kind
from services.cli.table import Column

WATCH_S = 2.0
WATCH = Opt(
    "watch",
    f"show again every x seconds ({WATCH_S:g}) what has changed",
    "x",
    "w",
    "seconds",
    optional=True,
    extra=True,
)
OPTIONS = (
    Opt("list", "columns to show, in this order", "x,y,z", "l", "words"),
    Opt("listconf", "name of a configured column list", "conf", "c"),
    Opt("filter", "rows to show: COLUMN=VALUE with = != < <= > >= or ~ (contains)", "x,y,z", "f", "words"),
    Opt("operator", "join filters with AND (default) or OR", "operator"),
    Opt("csv", "print comma-separated values"),
    Opt("csv-del", "separator of --csv", "del"),
    Opt("xml", "print the pool as XML", short="x"),
    Opt("json", "print the pool as JSON", short="j"),
    Opt("yaml", "print the pool as YAML", short="y"),
    Opt("size", "widths of columns", "x=size,y=size", "s", "words"),
    Opt(
        "expand",
        "columns that share the free width of a terminal",
        "x=prop,y=prop",
        type="words",
        optional=True,
    ),
    Opt("no-expand", "do not fill the width of the terminal"),
    Opt("adjust", "columns that grow to their longest value", "x,y,z", type="words"),
    Opt("numeric", "ids instead of user and group names", short="n"),
    Opt("no-header", "do not print the column names"),
    Opt("no-pager", "do not page on a terminal"),
    Opt("delay", "repeat every x seconds", "x", "d", "seconds"),
    WATCH,
    Opt("describe", "explain the columns"),
)
KILOBYTES = Opt("kilobytes", "memory sizes in kilobytes", short="k")
EXTENDED = Opt("extended", "fetch the whole documents (slower)")
COUNT = Opt("count", "stop after that many refreshes", "times", type="count", extra=True)
FILTER_FLAGS = {
    "a": kinds.ALL,
    "all": kinds.ALL,
    "m": kinds.MINE,
    "mine": kinds.MINE,
    "g": kinds.MINE_AND_GROUPS,
    "group": kinds.MINE_AND_GROUPS,
    "G": kinds.PRIMARY_GROUP,
}
_TOP_S = 1.0
_OPERATORS = ("!=", "<=", ">=", "=", "<", ">", "~")


class Look:
    """What column functions may ask: options that change texts, the time, names of other objects."""

    def __init__(self, kilobytes: bool, numeric: bool, now_s: int, names: Any = None) -> None:
        self.kilobytes = kilobytes
        self.numeric = numeric
        self.now_s = now_s
        self.names = names
        self.inv: Any = None  # for columns that ask the front-end more
        self.defaults: Element | None = None  # default quotas, from the pool itself


class ListView:
    """How one sort of object is listed.

    default: names of the columns shown by default; prepare: function (pool root, Look) -> members, for pools
    whose members are completed by their neighbours (quotas); layouts: other lists of columns (--listconf).
    """

    def __init__(
        self,
        kind: Kind,
        columns: Sequence[Column],
        default: str,
        *,
        prepare: Callable[[Element, Look], list[Element]] | None = None,
        layouts: dict[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.columns = columns
        self.default = default.split()
        self.prepare = prepare
        self.layouts = {name: words.split() for name, words in (layouts or {}).items()}


class Plan:
    """The columns, filters and texts that one invocation asked for."""

    def __init__(self, view: ListView, inv: Any, command: str) -> None:
        opts = inv.opts
        self.columns = [column.copy() for column in view.columns]
        by_name = {column.name: column for column in self.columns}
        conf, warnings = listconf.read(command)
        for warning in warnings:
            inv.warn(warning)
        layout = opts.listconf or os.environ.get("ONE_LISTCONF")
        if layout and layout in view.layouts and layout not in (conf.get("default_conf") or conf):
            conf = {**conf, "default_conf": view.layouts}
        shown = listconf.apply(self.columns, view.default, conf, layout)
        if opts.list:
            shown = [_known(word.upper(), by_name) for word in opts.list]
        self._change(by_name, opts)
        self.shown = [by_name[name] for name in shown]
        self.filters = [_filter(word, by_name) for word in opts.filter or ()]
        operator = (opts.operator or "AND").upper()
        if operator not in ("AND", "OR"):
            raise CliError(f"--operator: expected AND or OR, found {opts.operator!r}")
        self.combine: Callable[..., bool] = any if operator == "OR" else all
        self._values = [column.value for column in self.shown]

    def _change(self, by_name: dict[str, Column], opts: Any) -> None:
        for word in opts.size or ():
            name, _, size = word.partition("=")
            if not size.isdigit() or not 1 <= int(size) <= 1000:
                raise CliError(f"--size: expected COLUMN=WIDTH, found {word!r}")
            by_name[_known(name.upper(), by_name)].size = int(size)
        for word in opts.adjust or ():
            by_name[_known(word.upper(), by_name)].adjust = True
        if opts.no_expand or opts.expand:
            for column in self.columns:
                column.expand = 0
        for word in opts.expand or ():
            name, _, share = word.partition("=")
            try:
                by_name[_known(name.upper(), by_name)].expand = float(share or 1)
            except ValueError:
                raise CliError(f"--expand: expected COLUMN=SHARE, found {word!r}") from None

    def row(self, element: Element, look: Look) -> list[str] | None:
        """The texts of one object, or None when the filters drop it."""
        if self.filters and not self.combine(keep(element, look) for keep in self.filters):
            return None
        return [value(element, look) for value in self._values]  # type: ignore[misc]


def run(inv: Any) -> int:
    """Print a pool once, or again and again (--delay, top)."""
    view: ListView = inv.load_view()
    if inv.opts.describe:
        return describe(view, inv)
    delay_s, is_watch = inv.opts.delay, inv.opts.watch is not None
    if is_watch:
        delay_s = WATCH_S if inv.opts.watch == "" else inv.opts.watch
    elif inv.sub.format == "top" and delay_s is None:
        delay_s = _TOP_S
    if delay_s is None:
        show(view, inv)
        return 0
    from services.cli import watching

    def print_it() -> None:
        show(view, inv, paged=False)

    return watching.repeat(inv, delay_s, print_it, count=inv.opts.count, always=not is_watch)


def show(view: ListView, inv: Any, paged: bool = True) -> None:
    """Fetch and print one pool."""
    opts = inv.opts
    method, args = pool_call(view.kind, inv)
    if opts.xml:
        from services.cli import formats

        printer = formats.XmlPrinter(sys.stdout.write)
        inv.client.stream(method, args, printer.feed)
        printer.finish()
        return
    if opts.json or opts.yaml:
        _print_members(view.kind, inv, method, args)
        return
    plan = Plan(view, inv, inv.command.name)
    rows, look = [], Look(bool(opts.kilobytes), bool(opts.numeric), int(time.time()), inv.names)
    look.inv = inv

    def use(member: Element) -> None:
        row = plan.row(member, look)
        if row is not None:
            rows.append(row)

    _fetch(view, inv, method, args, look, use)
    header = not opts.no_header
    if opts.csv or opts.csv_del:
        for line in table.csv_lines(plan.shown, rows, opts.csv_del or ",", header):
            inv.out(line)
        return
    width = inv.terminal_width
    printed = table.lines(plan.shown, rows, header=header, terminal=width, styled=inv.is_styled)
    if paged and not opts.no_pager:
        inv.page(printed)
    else:
        inv.out("\n".join(printed))


def _print_members(kind: Kind, inv: Any, method: str, args: tuple[Any, ...]) -> None:
    """The pool as JSON or YAML; a large one as it arrives."""
    if not kind.streams:
        inv.print_document(inv.call(method, *args))
        return
    from services.cli import formats

    writer = formats.PoolWriter(sys.stdout.write, kind.pool_element, bool(inv.opts.yaml))
    inv.visit(kind, writer.add, method, args)
    writer.finish()


def rows_of(view: ListView, inv: Any, keep: Callable[[Element], bool]) -> list[str]:
    """The default table of some members of the view's pool, for a section of ``show``."""
    columns = {column.name: column for column in view.columns}
    shown = [columns[name] for name in view.default]
    look = Look(False, False, int(time.time()), inv.names)
    values = [column.value for column in shown]
    rows: list[list[str]] = []

    def use(member: Element) -> None:
        if keep(member):
            rows.append([value(member, look) for value in values if value])

    inv.visit(view.kind, use)
    return table.lines(shown, rows, styled=inv.is_styled)


def _fetch(
    view: ListView, inv: Any, method: str, args: tuple[Any, ...], look: Look, use: Callable[[Element], None]
) -> None:
    if view.prepare is None:
        inv.visit(view.kind, use, method, args)
        return
    from services.cli import documents

    for member in view.prepare(documents.parse(inv.call(method, *args)), look):
        use(member)


def pool_call(kind: Kind, inv: Any) -> tuple[str, tuple[Any, ...]]:
    """Method and arguments that fetch the pool, with the filter flag, --search and --extended applied."""
    args = kind.pool_args
    flag = inv.args.get("filterflag")
    if flag is not None:
        args = (_flag(flag, inv), *args[1:])
    if inv.opts.search:
        args = (*args, inv.opts.search)
    method = kind.pool_method
    if inv.opts.extended and kind is kinds.VM:
        method = "vmpool.infoextended"
    return method, args


def _flag(text: str, inv: Any) -> int:
    from services.cli.argtypes import object_id

    return FILTER_FLAGS[text] if text in FILTER_FLAGS else object_id(kinds.USER, text, inv.names)


def _known(name: str, by_name: dict[str, Column]) -> str:
    """The column of that name, in upper or lower case. Raises CliError."""
    if name in by_name:
        return name
    found = next((candidate for candidate in by_name if candidate.upper() == name.upper()), None)
    if found is None:
        guess = hint(name, by_name)
        raise CliError(f"There is no column {name}.{guess} Columns: {', '.join(by_name)}.")
    return found


def _filter(word: str, by_name: dict[str, Column]) -> Callable[[Element, Look], bool]:
    """The test that one --filter means."""
    found = [(word.find(sign), -len(sign), sign) for sign in _OPERATORS if sign in word]
    if not found or min(found)[0] == 0:
        raise CliError(f"--filter: expected COLUMN=VALUE (or != < <= > >= ~), found {word!r}")
    at, _, sign = min(found)
    column = by_name[_known(word[:at].strip().upper(), by_name)]
    expected = word[at + len(sign) :].strip()
    compare = _COMPARISONS[sign]
    value = column.value

    def keep(element: Element, look: Look) -> bool:
        actual = value(element, look).strip()  # type: ignore[misc]
        pair = _numbers(actual, expected) if sign[0] in "<>" else None
        return compare(*pair) if pair else compare(actual, expected)

    return keep


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda actual, expected: actual == expected,
    "!=": lambda actual, expected: actual != expected,
    "<": lambda actual, expected: actual < expected,
    "<=": lambda actual, expected: actual <= expected,
    ">": lambda actual, expected: actual > expected,
    ">=": lambda actual, expected: actual >= expected,
    "~": lambda actual, expected: expected in actual,
}


def _numbers(actual: str, expected: str) -> tuple[float, float] | None:
    """Both as numbers (sizes such as 1.5G counted in K), or None when one is not."""
    result = []
    for text in (actual, expected):
        factor = {"K": 1.0, "M": 1024.0, "G": 1024.0**2, "T": 1024.0**3}.get(text[-1:], 0.0)
        try:
            result.append(float(text[:-1] if factor else text) * (factor or 1.0))
        except ValueError:
            return None
    return result[0], result[1]


def describe(view: ListView, inv: Any) -> int:
    """Print what the columns are."""
    plan = Plan(view, inv, inv.command.name)
    inv.out("Columns (* = shown by default):")
    for column in plan.columns:
        inv.out(f"{'*' if column in plan.shown else ' '} {column.name:<15} {column.desc}")
    return 0
