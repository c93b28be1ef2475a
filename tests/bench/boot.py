"""How long the image takes to start, what its programs keep in memory, and how large it is."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

from tests.support import containers
from tests.support.containers import Container

_ROUNDS = 3
# What an operator would give names; the others are made anew with the container.
_KEPT = ("/var/lib/mysql", "/var/lib/one/.one", "/var/lib/one/datastores", "/var/log", "/srv/one")
# Time to settle before memory is measured: first monitoring, caches of the workers.
_SETTLE_S = 20.0
# Process, parent, and its share of memory in kB. Each user reads its own: root has no right to the others'.
_MEMORY = (
    "for folder in /proc/[0-9]*; do "
    "set -- $(cat $folder/stat 2>/dev/null | sed 's/.*) //'); "
    'pss=$(sed -n "s/^Pss: *\\([0-9]*\\).*/\\1/p" $folder/smaps_rollup 2>/dev/null); '
    '[ -z "$pss" ] || echo "${folder#/proc/} $2 $pss"; done'
)


def run() -> dict[str, object]:
    """Seconds of fresh and warm starts, memory in MB per program, the image's size in MB. Needs Docker."""
    docker = containers.docker()
    if docker is None:
        raise SystemExit("bench: boot needs a Docker engine, and none answers")
    image = containers.build(docker)
    size_mb = json.loads(docker.call("image", "inspect", image))[0]["Size"] / 1e6
    fresh: list[float] = []
    warm: list[float] = []
    memory: dict[str, float] = {}
    for number in range(_ROUNDS):
        print(f"boot: round {number + 1} of {_ROUNDS} …", file=sys.stderr)
        with containers.volumes(docker, *_KEPT) as volumes:
            started = time.monotonic()
            with containers.run(
                docker, image, {"OPENNEBULA_HOST": "localhost"}, volumes=volumes
            ) as container:
                container.wait_healthy(180)
                fresh.append(time.monotonic() - started)
                if number == 0:
                    time.sleep(_SETTLE_S)
                    memory = _memory(container)
                container.stop()
                started = time.monotonic()
                container.start()
                container.wait_healthy(180)
                warm.append(time.monotonic() - started)
    return {
        "fresh_start_to_healthy_s": [round(value, 1) for value in fresh],
        "warm_start_to_healthy_s": [round(value, 1) for value in warm],
        "memory_mb": {name: round(value, 1) for name, value in memory.items()},
        "memory_total_mb": round(sum(memory.values()), 1),
        "image_size_mb": round(size_mb),
    }


def _memory(container: Container) -> dict[str, float]:
    """Memory of each program with the processes it started, in MB; pages that are shared count once.

    Nobody may look into ssh-agent; it is left out.
    """
    parents: dict[int, int] = {}
    sizes_kb: dict[int, int] = {}
    for user in ("root", "oneadmin", "mysql", "stunnel"):
        for line in container.exec("env", "-i", "/bin/sh", "-c", _MEMORY, user=user).splitlines():
            pid, parent, size_kb = map(int, line.split())
            parents[pid], sizes_kb[pid] = parent, size_kb
    programs: dict[int, str] = {}
    for line in container.supervisor("status").splitlines():
        words = line.split()
        if words[1] == "RUNNING":
            programs[int(words[3].rstrip(","))] = words[0]
    found: dict[str, float] = {}
    for pid, size_kb in sizes_kb.items():
        name = _program_of(pid, parents, programs)
        found[name] = found.get(name, 0.0) + size_kb / 1024
    # The shells that this asked with.
    found.pop("", None)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _program_of(pid: int, parents: Mapping[int, int], programs: Mapping[int, str]) -> str:
    """The program that a process belongs to; supervisor: the rest; empty: from outside."""
    while pid:
        if pid in programs:
            return programs[pid]
        if pid == 1:
            return "supervisor"
        pid = parents.get(pid, 0)
    return ""
