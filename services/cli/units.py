"""Sizes and times as OpenNebula's commands write them."""

from __future__ import annotations

import time

_SUFFIXES = "KMGT"


def size(value: float, unit: str = "K", raw: bool = False) -> str:
    """``64M``, ``7.3G``: a size counted in ``unit`` (K, M, G). raw: the number as it is (--kilobytes)."""
    if raw:
        return str(int(value))
    step = _SUFFIXES.index(unit)
    number = float(value)
    while number > 1024 and step < len(_SUFFIXES) - 1:  # 1024M stays 1024M
        number /= 1024
        step += 1
    number = int(number * 10 + 0.5) / 10
    return f"{int(number) if number == int(number) else number}{_SUFFIXES[step]}"


def moment(epoch_s: int) -> str:
    """``11/21 03:14:38`` in local time, or ``-`` for no time."""
    return time.strftime("%m/%d %H:%M:%S", time.localtime(epoch_s)) if epoch_s > 0 else "-"


def minute(epoch_s: int) -> str:
    """``11/21 03:14`` in local time, or ``-`` for no time."""
    return moment(epoch_s).rpartition(":")[0] or "-"


def duration(seconds: int) -> str:
    """``  2d 21h48``: days, hours and minutes."""
    minutes = max(seconds, 0) // 60
    return f"{minutes // 1440:3d}d {minutes // 60 % 24:02d}h{minutes % 60:02d}"


def clock(seconds: int) -> str:
    """``0h00m17s``: hours, minutes and seconds."""
    seconds = max(seconds, 0)
    return f"{seconds // 3600}h{seconds // 60 % 60:02d}m{seconds % 60:02d}s"


def usage(used: str, limit: str, percent: int) -> str:
    """``100 / 400 (25%)``."""
    return f"{used} / {limit} ({percent}%)"
