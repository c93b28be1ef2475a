"""Probes of the node itself: its capacity, what is used of it, its processor, its name.

Memory in kB, processors in hundredths, network counters in bytes.
Source: host monitoring attributes of release 6.0.
"""

from __future__ import annotations

import os
import re
import time

from driver import DriverError
from im_context import Context
from im_text import line

# Network cards by the names that kernel, BIOS and systemd give them; what is built upon them (bridges,
# VLANs, taps) would count the same packets again.
_CARDS = re.compile(
    r"(eth\d+|ib\d+|em\d+(_\d+)?|p\d+p\d+(_\d+)?|eno\d+(n\w+|d\d+)?|ens\d+(f\d+)?(n\w+|d\d+)?|enx[0-9a-fA-F]{12}"
    r"|en(P\d+)?p\d+s\d+(f\d+)?(n\w+|d\d+)?|ena\w+i\d+)\Z"
)
# A measure of the processors needs this long at least, or it says more about the moment than about the load.
_CPU_SPAN_S = 1.0
# All hypervisors whose probes these are run machines of kvm (qemu is its slow form), as release 6.0 says it.
_HYPERVISOR = "kvm"
# There where control groups are of version 2, by which machines' shares of processors count otherwise.
_CGROUPS_V2 = "/sys/fs/cgroup/cgroup.controllers"


def capacity(at: Context) -> str:
    """What the node has: HYPERVISOR, TOTALCPU, CPUSPEED (MHz), TOTALMEMORY, CGROUPS_VERSION (1 or 2)."""
    cpus = _cpus()
    found = re.search(r"^cpu MHz\s*:\s*([\d.]+)", _text("/proc/cpuinfo"), re.MULTILINE)
    speed_mhz = round(float(found[1])) if found else 0
    return (
        line("HYPERVISOR", _HYPERVISOR)
        + line("TOTALCPU", cpus * 100)
        + line("CPUSPEED", speed_mhz)
        + line("TOTALMEMORY", _memory_kb()[0])
        + line("CGROUPS_VERSION", 2 if os.path.exists(_CGROUPS_V2) else 1)
    )


def usage(at: Context) -> str:
    """What is used of it: USED and FREE of memory and processors, NETRX and NETTX."""
    total_kb, used_kb = _memory_kb()
    idle, cpus = _idle(at), _cpus()
    free_cpu = round(cpus * 100 * idle)
    received, sent = _network_bytes()
    return (
        line("HYPERVISOR", _HYPERVISOR)
        + line("USEDMEMORY", used_kb)
        + line("FREEMEMORY", total_kb - used_kb)
        + line("FREECPU", free_cpu)
        + line("USEDCPU", cpus * 100 - free_cpu)
        + line("NETRX", received)
        + line("NETTX", sent)
    )


def begin(at: Context) -> None:
    """Take the first look at the processors, from which usage() counts."""
    at.memory["host.cpu"] = (time.monotonic(), *_ticks())


def architecture(at: Context) -> str:
    """ARCH, as uname says it."""
    return line("ARCH", os.uname().machine)


def name(at: Context) -> str:
    """HOSTNAME: the node's own name, which need not be the host's."""
    return line("HOSTNAME", os.uname().nodename)


def cpu_model(at: Context) -> str:
    """MODELNAME of the processor; nothing where the kernel does not say."""
    text = _text("/proc/cpuinfo")
    for label in ("model name", "cpu"):
        found = re.search(rf"^{label}[ \t]*:[ \t]*(.+)", text, re.MULTILINE)
        if found is not None:
            return line("MODELNAME", found[1].strip())
    return ""


def version(at: Context) -> str:
    """VERSION of the actions that this node has; `onehost sync` compares it."""
    rows = at.read("VERSION").split()
    return f'VERSION="{rows[-1]}"\n' if rows and re.match(r"[\w.+~-]+\Z", rows[-1]) else ""


def beacon(at: Context) -> str:
    """A sign of life: the node's time."""
    return f"{int(time.time())}\n"


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise DriverError(f"{path} cannot be read: {error.strerror}") from None


def _cpus() -> int:
    return len(re.findall(r"^cpu\d+ ", _text("/proc/stat"), re.MULTILINE)) or 1


def _memory_kb() -> tuple[int, int]:
    """All memory and what is used of it, without what the kernel keeps of files."""
    values = {
        key: int(kb) for key, kb in re.findall(r"^(\w+):\s+(\d+)", _text("/proc/meminfo"), re.MULTILINE)
    }
    total_kb = values.get("MemTotal", 0)
    unused_kb = sum(values.get(key, 0) for key in ("MemFree", "Buffers", "Cached"))
    return total_kb, max(0, total_kb - unused_kb)


def _idle(at: Context) -> float:
    """The part of the processors' time (0 to 1) that was idle since the last look, or in a second."""
    if "host.cpu" not in at.memory:
        begin(at)
    before = at.memory["host.cpu"]
    wait_s = _CPU_SPAN_S - (time.monotonic() - before[0])
    if wait_s > 0:
        time.sleep(wait_s)
    now = (time.monotonic(), *_ticks())
    at.memory["host.cpu"] = now
    all_ticks = now[2] - before[2]
    return min(1.0, max(0.0, (now[1] - before[1]) / all_ticks)) if all_ticks > 0 else 1.0


def _ticks() -> tuple[int, int]:
    """Ticks that the processors were idle, and all their ticks; what guests used is within the user's."""
    values = [int(word) for word in _text("/proc/stat").split("\n", 1)[0].split()[1:9]]
    return values[3], sum(values)


def _network_bytes() -> tuple[int, int]:
    received = sent = 0
    for row in _text("/proc/net/dev").splitlines():
        card, colon, rest = row.partition(":")
        if colon and _CARDS.match(card.strip()):
            words = rest.split()
            received += int(words[0])
            sent += int(words[8])
    return received, sent
