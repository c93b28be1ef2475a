"""``onehost monitoring``: what was measured on a host, drawn, as a table or as separated values."""

from __future__ import annotations

import time
from typing import Any

from services.cli import documents
from services.cli.documents import number_of, text_of
from services.cli.errors import CliError, hint
from services.cli.table import Column, heading, lines

_SECTIONS = {
    "FREE_CPU": "CAPACITY",
    "FREE_MEMORY": "CAPACITY",
    "USED_CPU": "CAPACITY",
    "USED_MEMORY": "CAPACITY",
    "NETRX": "SYSTEM",
    "NETTX": "SYSTEM",
}
_UNITS = "KMGT"  # of memory, which is measured in kilobytes
_RECORDS = 8
_HEIGHT, _WIDTH = 12, 60
_COLUMNS = [Column("TIME", "", 8), Column("VALUE", "", 8, adjust=True)]


def monitoring(inv: Any) -> int:
    """Print the newest records of one attribute."""
    oid, name, unit = inv.args["hostid"], inv.args["attr"].upper(), (inv.opts.unit or "G").upper()
    if name not in _SECTIONS:
        raise CliError(f"There is no attribute {name}.{hint(name, _SECTIONS)} Known: {', '.join(_SECTIONS)}.")
    if unit not in _UNITS:
        raise CliError(f"--unit: expected one of {', '.join(_UNITS)}, found {inv.opts.unit!r}")
    samples = _samples(inv, oid, f"{_SECTIONS[name]}/{name}")
    if not samples:
        raise CliError(f"HOST {oid}: there are no records of {name} for that time.")
    is_memory = name.endswith("MEMORY")
    scale = 1024 ** _UNITS.index(unit) if is_memory else 1
    kept = samples[-(inv.opts.n or _RECORDS) :]
    clocks = [time.strftime("%H:%M", time.localtime(moment)) for moment, _ in kept]
    values = [value / scale for _, value in kept]
    texts = [f"{value:.2f} {unit}B" if is_memory else f"{value:g}" for value in values]
    if inv.opts.csv:
        inv.out(f"TIME{inv.opts.csv}VALUE")
        for clock, text in zip(clocks, texts, strict=True):
            inv.out(f"{clock}{inv.opts.csv}{text}")
        return 0
    first, last = (
        time.strftime("%d/%m/%Y %H:%M", time.localtime(moment)) for moment in (samples[0][0], samples[-1][0])
    )
    title = f"Host {oid} {name} {f'in {unit}B ' if is_memory else ''}from {first} to {last}"
    inv.out()
    inv.out(heading(title, inv.is_styled, 0))
    inv.out()
    if inv.opts.table:
        rows = [list(row) for row in zip(clocks, texts, strict=True)]
        inv.out("\n".join(lines(_COLUMNS, rows, styled=inv.is_styled, state_column="")))
    else:
        inv.out("\n".join(plot(values, clocks)))
    return 0


def _samples(inv: Any, oid: int, path: str) -> list[tuple[int, float]]:
    """(moment, value) in the order of time, within --start and --end."""
    start, end = inv.opts.start or 0, inv.opts.end or 2**62
    found = []
    for record in documents.parse(inv.call("host.monitoring", oid)):
        moment, text = number_of(record, "TIMESTAMP"), text_of(record, path)
        if text and start <= moment <= end:
            found.append((moment, float(text)))
    return sorted(found)


def plot(values: list[float], clocks: list[str]) -> list[str]:
    """A curve of characters; the axes say the largest and smallest value, and the first and last time."""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    grid = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for index, value in enumerate(values):
        column = index * (_WIDTH - 1) // max(len(values) - 1, 1)
        row = _HEIGHT - 1 - round((value - low) / span * (_HEIGHT - 1))
        grid[row][column] = "*"
    marks = {0: f"{high:g}", _HEIGHT - 1: f"{low:g}"}
    left = max(map(len, marks.values()))
    drawn = [f"{marks.get(number, ''):>{left}} |{''.join(row)}".rstrip() for number, row in enumerate(grid)]
    drawn.append(f"{'':>{left}} +{'-' * _WIDTH}")
    gap = _WIDTH - len(clocks[0]) - (len(clocks[-1]) if len(clocks) > 1 else 0)
    drawn.append(f"{'':>{left}}  {clocks[0]}{' ' * gap}{clocks[-1] if len(clocks) > 1 else ''}".rstrip())
    return drawn
