"""Tables: columns, their widths, and lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

_BOLD, _BOLD_UNDERLINED, _RESET = "\033[1m", "\033[1m\033[4m", "\033[0m"
_GOOD, _BAD = "\033[32m", "\033[31m"
_COLOURS = {
    **dict.fromkeys(("runn", "on", "rdy", "used"), _GOOD),
    **dict.fromkeys(("fail", "err", "unkn", "error"), _BAD),
}


class Column:
    """One column of a list.

    size: width in characters (None: as wide as its content); adjust: grows to its longest value; expand:
    its part of the free width on a terminal (0 none, negative: as its size is to those of the others);
    value: function (element, Look) -> text.
    """

    __slots__ = ("name", "desc", "size", "left", "adjust", "expand", "value")

    def __init__(
        self,
        name: str,
        desc: str,
        size: int | None,
        value: Callable[..., str] | None = None,
        *,
        left: bool = False,
        adjust: bool = False,
        expand: float = 0,
    ) -> None:
        self.name = name
        self.desc = desc
        self.size = size
        self.value = value
        self.left = left
        self.adjust = adjust or size is None
        self.expand = expand

    def copy(self) -> Column:
        """An independent copy, to be changed by configuration and options."""
        twin = Column(self.name, self.desc, self.size, self.value, left=self.left, adjust=self.adjust)
        twin.expand = self.expand
        return twin


def widths(columns: Sequence[Column], rows: Iterable[Sequence[str]], terminal: int | None) -> list[int]:
    """The width of each column; ``terminal`` is the width to fill, None for output that is not a terminal."""
    result = [column.size or 0 for column in columns]
    adjusted = [index for index, column in enumerate(columns) if column.adjust]
    if adjusted:
        for row in rows:
            for index in adjusted:
                if len(row[index]) > result[index]:
                    result[index] = len(row[index])
        for index in adjusted:
            if columns[index].size is None:
                result[index] = max(result[index], len(columns[index].name))
    free = (terminal or 0) - sum(result) - len(columns) + 1
    growing = [index for index, column in enumerate(columns) if column.expand]
    if terminal and free > 0 and growing:
        whole = sum(result[index] for index in growing)
        left = free
        shares = {index: _share(columns[index], result[index], whole) for index in growing}
        for index in growing[:-1]:
            grown = min(int(free * shares[index] + 0.5), left)
            result[index] += grown
            left -= grown
        result[growing[-1]] += left  # what is rounded off goes to the last one
    return result


def _share(column: Column, size: int, whole: int) -> float:
    """The part of the free width that a column gets."""
    return column.expand if column.expand > 0 else size / whole


def row_format(columns: Sequence[Column], sizes: Sequence[int]) -> str:
    """A % format for one row: values are cut at the width of their column."""
    return " ".join(
        f"%{'-' if column.left else ''}{size}.{size}s" for column, size in zip(columns, sizes, strict=True)
    )


def lines(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    header: bool = True,
    terminal: int | None = None,
    styled: bool = False,
    state_column: str = "STAT",
) -> list[str]:
    """The table's lines without line ends. styled: emphasise the header and colour states."""
    sizes = widths(columns, rows, terminal)
    form = row_format(columns, sizes)
    result = []
    if header:
        text = form % tuple(column.name for column in columns)
        result.append(f"{_BOLD_UNDERLINED}{text}{_RESET}" if styled else text)
    state_at = next((i for i, column in enumerate(columns) if column.name == state_column), None)
    if styled and state_at is not None:
        start = sum(sizes[:state_at]) + state_at
        stop = start + sizes[state_at]
        for row in rows:
            line = form % tuple(row)
            colour = _COLOURS.get(row[state_at].strip())
            if colour:
                line = f"{line[:start]}{colour}{line[start:stop]}{_RESET}{line[stop:]}"
            result.append(line.rstrip())
    else:
        result.extend([(form % tuple(row)).rstrip() for row in rows])
    return result


def csv_lines(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], separator: str, header: bool
) -> list[str]:
    """The table as separated values; values that hold the separator, quotes or line ends are quoted."""

    def cell(text: Any) -> str:
        if separator in text or '"' in text or "\n" in text or "\r" in text:
            return '"' + text.replace('"', '""') + '"'
        return str(text)

    result = [separator.join(column.name for column in columns)] if header else []
    result.extend(separator.join(map(cell, row)) for row in rows)
    return result


def heading(text: str, styled: bool, width: int = 80, underlined: bool = True) -> str:
    """The head of a section of ``show``."""
    line = f"{text:<{width}}"
    return f"{_BOLD_UNDERLINED if underlined else _BOLD}{line}{_RESET}" if styled else line
