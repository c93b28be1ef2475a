"""Benchmarks of the API and the life-cycle on a front-end of real processes, dummy drivers."""

from __future__ import annotations

import time
from typing import Any

from tests.bench import load
from tests.bench.existing import Existing
from tests.support.frontend import Frontend

Target = Frontend | Existing

_SECONDS = 4.0
_SMALL = 'NAME = "bench"\nCPU = 0.01\nMEMORY = 1\n'


def _rates(frontend: Target, method: str, args_list: list[list[object]]) -> dict[str, Any]:
    return {
        f"{connections}_connections": load.run(
            frontend.port, connections, _SECONDS, method, args_list
        ).as_dict()
        for connections in (1, 8)
    }


def vm_info(frontend: Target) -> dict[str, Any]:
    """one.vm.info of a held VM."""
    vm_id = frontend.client().call("vm.allocate", _SMALL, True)
    return _rates(frontend, "one.vm.info", [[frontend.session, vm_id, False]])


def user_info(frontend: Target) -> dict[str, Any]:
    """one.user.info of oneadmin."""
    return _rates(frontend, "one.user.info", [[frontend.session, 0, False]])


def host_info(frontend: Target) -> dict[str, Any]:
    """one.host.info of a dummy host that has been monitored."""
    client = frontend.client()
    host = client.call("host.allocate", "bench", "dummy", "dummy", 0)
    _wait(client, "host.info", lambda body: "<STATE>2</STATE>" in body, host)
    result = _rates(frontend, "one.host.info", [[frontend.session, host, False]])
    client.call("host.delete", host)
    return result


def allocate(frontend: Target) -> dict[str, Any]:
    """one.vm.allocate on hold; each call is one durable commit."""
    return _rates(frontend, "one.vm.allocate", [[frontend.session, _SMALL, True]])


def allocate_as_user(frontend: Target) -> dict[str, Any]:
    """The same as ordinary users, whose VMs are counted against quotas of theirs and of their groups.

    One user, whose calls wait for each other where they count, and eight users of eight groups.
    """
    client, sessions = frontend.client(), []
    for number in range(8):
        gid = client.call("group.allocate", f"bench-{number}")
        client.call("acl.addrule", f"{0x200000000 | gid:x}", "1400000000", "8")
        uid = client.call("user.allocate", f"bench-{number}", "bench", "core", [gid])
        for kind, oid in (("user", uid), ("group", gid)):
            client.call(f"{kind}.quota", oid, "VM=[VMS=1000000,MEMORY=1000000,CPU=-2]")
        sessions.append(f"bench-{number}:bench")
    # Each process of the API looks at a password once, which takes long on purpose.
    load.run(frontend.port, 8, 2.0, "one.user.info", [[one, -1, False] for one in sessions])
    return {
        "one_user": _rates(frontend, "one.vm.allocate", [[sessions[0], _SMALL, True]]),
        "eight_users": _rates(frontend, "one.vm.allocate", [[one, _SMALL, True] for one in sessions]),
    }


def vmpool_info(frontend: Target) -> dict[str, Any]:
    """Whole pools of 1,400 VMs, short and extended."""
    client = frontend.client()
    have = client.call("vmpool.info", -2, -1, -1, -1).count("<VM>")
    for _ in range(max(0, 1400 - have)):
        client.call("vm.allocate", _SMALL, True)
    result: dict[str, Any] = {"vms": max(have, 1400)}
    for name, method in (("short", "one.vmpool.info"), ("extended", "one.vmpool.infoextended")):
        args: list[object] = [frontend.session, -2, 0, 1399, -1]
        result[name] = load.run(frontend.port, 1, _SECONDS, method, [args]).as_dict()
    return result


def instantiate(frontend: Target) -> dict[str, Any]:
    """instantiate → RUNNING, one VM at a time, then 100 VMs at once; dummy driver, scheduler included."""
    client = frontend.client()
    for name in ("bench-a", "bench-b"):
        client.call("host.allocate", name, "dummy", "dummy", 0)
    template = client.call("template.allocate", _SMALL)
    _wait(client, "hostpool.info", lambda body: body.count("<STATE>2</STATE>") >= 2)
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        vm_id = client.call("template.instantiate", template, "", False, "", False)
        _wait(client, "vm.info", lambda body: "<LCM_STATE>3</LCM_STATE>" in body, vm_id)
        taken.append(time.perf_counter() - start)
    taken.sort()
    start = time.perf_counter()
    ids = [client.call("template.instantiate", template, "", False, "", False) for _ in range(100)]
    created_s = time.perf_counter() - start
    _wait(
        client,
        "vmpool.infoset",
        lambda body: body.count("<LCM_STATE>3</LCM_STATE>") == 100,
        ",".join(map(str, ids)),
        False,
    )
    total_s = time.perf_counter() - start
    return {
        "single_p50_ms": round(1000 * taken[10], 1),
        "single_p95_ms": round(1000 * taken[18], 1),
        "burst_vms": 100,
        "burst_created_s": round(created_s, 2),
        "burst_running_s": round(total_s, 2),
        "burst_vms_per_s": round(100 / total_s, 1),
    }


def _wait(client: Any, method: str, done: Any, *args: object, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if done(client.call(method, *args)):
            return
        time.sleep(0.01)
    raise TimeoutError(f"{method}{args}: not within {timeout_s} s")


BENCHES = {
    "vm_info": vm_info,
    "user_info": user_info,
    "host_info": host_info,
    "allocate": allocate,
    "allocate_as_user": allocate_as_user,
    "vmpool_info": vmpool_info,
    "instantiate": instantiate,
}
