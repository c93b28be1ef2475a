"""How long a machine's day takes on real nodes: from instantiate to a ping, and every step after it.

The nodes are containers and machines are emulated, so the seconds are this machine's; ``guest alone`` is the
part that no front-end can change.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support import containers
from tests.support.node import nodes
from tests.support.node.cloud import NodeCloud
from tests.support.node.day import Day
from tests.support.node.nodes import Node

_ROUNDS = 2


def run() -> dict[str, object]:
    """Median seconds of each step, and of the parts of starting a machine. Needs Docker."""
    docker = containers.docker()
    if docker is None:
        raise SystemExit("bench: node needs a Docker engine, and none answers")
    image = nodes.build(docker)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="onebox-bench-")))
        guest = nodes.guest(docker, image, folder / "guest")
        net = stack.enter_context(nodes.network(docker))
        cloud = NodeCloud(folder / "fe")
        stack.callback(cloud.close)
        cloud.start()
        pair = [stack.enter_context(nodes.start(net, image, cloud.key, cloud.datastores)) for _ in range(2)]
        cloud.use_tm("ssh")
        on_s, hosts = [], {}
        for node in pair:
            started = time.monotonic()
            hosts[cloud.add_host(node)] = node
            on_s.append(time.monotonic() - started)
        images = cloud.guest_images(guest, nodes.data_disk(folder / "data.qcow2"))
        network = cloud.guest_network(net)
        rounds: list[dict[str, float]] = []
        for number in range(_ROUNDS):
            print(f"node: day {number + 1} of {_ROUNDS} …", file=sys.stderr)
            rounds.append(_day(Day(cloud, hosts, images, network)))
        return {
            "host on": round(max(on_s), 2),
            "steps": {
                name: round(statistics.median(found[name] for found in rounds), 2) for name in rounds[0]
            },
        }


def _day(day: Day) -> dict[str, float]:
    day.create()
    parts = _parts_of_start(day)
    guest_s = _alone(day.hosts[day.host()], day)
    day.poweroff_resume()
    day.suspend_resume()
    day.migrate(live=True)
    day.disk()
    day.nic()
    day.migrate(live=False)
    day.snapshot()
    day.terminate()
    return {**parts, "guest alone, reset to ping": guest_s, **day.seconds}


def _parts_of_start(day: Day) -> dict[str, float]:
    """Whole seconds by the VM's own record: waiting for the scheduler, its disks, its start."""
    document: Any = day.cloud.show("vm", day.vm)
    times = {name: int(document.findtext(f".//HISTORY/{name}")) for name in ("PSTIME", "PETIME", "RSTIME")}
    asked = int(document.findtext("STIME"))
    return {
        "waiting (record)": float(times["PSTIME"] - asked),
        "disks (record)": float(times["PETIME"] - times["PSTIME"]),
    }


def _alone(node: Node, day: Day) -> float:
    """Seconds that the guest itself needs: from a reset by virsh to an answered ping."""
    shell = day.shell
    node.exec("virsh", "reset", f"one-{day.vm}")
    started = time.monotonic()
    shell.wait_ping()
    return round(time.monotonic() - started, 2)
