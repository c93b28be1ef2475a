"""What a machine uses, as poll prints it: CPU in percent, MEMORY in KiB, network and disks in bytes."""

from __future__ import annotations

import re
import time

from kvm_virsh import Virsh

_SAMPLE_S = 0.25
_GROUPS = ("--nowait", "--balloon", "--interface", "--block")
_SUMS = {
    "NETRX": r"net\.\d+\.rx\.bytes",
    "NETTX": r"net\.\d+\.tx\.bytes",
    "DISKRDBYTES": r"block\.\d+\.rd\.bytes",
    "DISKWRBYTES": r"block\.\d+\.wr\.bytes",
    "DISKRDIOPS": r"block\.\d+\.rd\.reqs",
    "DISKWRIOPS": r"block\.\d+\.wr\.reqs",
}


def words(virsh: Virsh, domain: str) -> list[str]:
    """KEY=VALUE words; CPU is of the quarter of a second that this takes. Raises DriverError."""
    before_ns, began = _cpu_ns(virsh, domain), time.monotonic()
    time.sleep(_SAMPLE_S)
    used_ns, passed_s = _cpu_ns(virsh, domain) - before_ns, time.monotonic() - began
    found = _numbers(virsh.call("domstats", *_GROUPS, domain))
    memory_kib = found.get("balloon.rss", found.get("balloon.current", 0))
    cpu = max(0.0, used_ns / 1e7 / passed_s)
    sums = [f"{key}={_sum(found, pattern)}" for key, pattern in _SUMS.items()]
    return [f"CPU={cpu:.1f}", f"MEMORY={memory_kib}", *sums]


def _cpu_ns(virsh: Virsh, domain: str) -> int:
    return _numbers(virsh.call("domstats", "--cpu-total", "--nowait", domain)).get("cpu.time", 0)


def _numbers(text: str) -> dict[str, int]:
    pairs = (line.strip().partition("=") for line in text.splitlines())
    return {name: int(value) for name, _, value in pairs if value.isdigit()}


def _sum(numbers: dict[str, int], pattern: str) -> int:
    return sum(value for name, value in numbers.items() if re.fullmatch(pattern, name))
