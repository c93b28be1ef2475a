"""Many clients at once, on each database: no limit is passed, no usage is lost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from services.common import xmldoc
from services.common.oca import OneError
from tests.support.frontend import Frontend

CLIENTS = 16
USERS = 1  # the group whose members may create things
AUTHORIZATION, NO_EXISTS, ACTION = 0x200, 0x400, 0x800
SMALL = "CPU=0.5\nMEMORY=64\nDISK=[TYPE=fs,SIZE=10]"


def together(count: int, work: Callable[[int], object]) -> list[object]:
    """The results of ``work(0..count-1)``, all begun at the same moment; a refusal is its code."""
    gate = threading.Barrier(count)

    def begin(number: int) -> object:
        gate.wait()
        try:
            return work(number)
        except OneError as error:
            return f"refused {error.code:#x}"

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def used(frontend: Frontend, kind: str, oid: int, metric: str) -> float:
    document = xmldoc.parse(frontend.client().call(f"{kind}.info", oid))
    return float(document.findtext(f"VM_QUOTA/VM/{metric}_USED") or 0)


def people(frontend: Frontend, prefix: str, count: int) -> tuple[int, list[tuple[int, str]]]:
    """A new group, and users of it who may create VMs: (id, session)."""
    gid: int = frontend.client().call("group.allocate", prefix)
    members = []
    for number in range(count):
        name = f"{prefix}{number}"
        uid = frontend.client().call("user.allocate", name, "secret", "core", [gid, USERS])
        members.append((uid, f"{name}:secret"))
    return gid, members


def assert_consistent(frontend: Frontend) -> None:
    checked = frontend.run("onedb", "fsck", "--dry-run")
    assert "quota" not in checked.stdout, checked.stdout


def test_a_users_limit(frontend: Frontend) -> None:
    _, [(uid, session)] = people(frontend, "alone", 1)
    frontend.client().call("user.quota", uid, "VM=[VMS=11]")
    results = together(CLIENTS, lambda _: [create(frontend, session) for _ in range(2)])
    flat = [result for pair in results for result in (pair if isinstance(pair, list) else [pair])]
    made = [result for result in flat if isinstance(result, int)]
    assert len(made) == 11 and len(set(made)) == 11
    assert set(flat) - set(made) == {f"refused {AUTHORIZATION:#x}"}
    assert used(frontend, "user", uid, "VMS") == 11
    assert_consistent(frontend)


def create(frontend: Frontend, session: str) -> object:
    try:
        return frontend.client(session).call("vm.allocate", SMALL, True)
    except OneError as error:
        return f"refused {error.code:#x}"


def test_a_groups_limit_holds_for_all_members(frontend: Frontend) -> None:
    gid, members = people(frontend, "team", CLIENTS)
    frontend.client().call("group.quota", gid, "VM=[CPU=3.5,SYSTEM_DISK_SIZE=1000]")
    results = together(CLIENTS, lambda number: create(frontend, members[number][1]))
    assert sum(isinstance(result, int) for result in results) == 7, results
    assert used(frontend, "group", gid, "CPU") == 3.5
    assert sum(used(frontend, "user", uid, "VMS") for uid, _ in members) == 7
    assert_consistent(frontend)


def test_coming_going_and_changing_hands(frontend: Frontend) -> None:
    gid, [first, second] = people(frontend, "pair", 2)
    for uid, _ in (first, second):
        frontend.client().call("user.quota", uid, "VM=[VMS=5]")
    frontend.client().call("group.quota", gid, "VM=[MEMORY=512]")
    faults: list[str] = []
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.is_set():
            for uid, _ in (first, second):
                if used(frontend, "user", uid, "VMS") > 5:
                    faults.append(f"user {uid} is above the limit")
            if used(frontend, "group", gid, "MEMORY") > 512:
                faults.append("the group is above the limit")
            time.sleep(0.02)

    def live(number: int) -> int:
        choice = random.Random(number)
        uid, session = (first, second)[number % 2]
        admin, created = frontend.client(), 0
        for _ in range(6):
            made = create(frontend, session)
            if not isinstance(made, int):
                assert made == f"refused {AUTHORIZATION:#x}", made
                continue
            created += 1
            try:
                if choice.random() < 0.5:
                    admin.call("vm.chown", made, first[0] + second[0] - uid, -1)
            except OneError as error:
                assert error.code == NO_EXISTS, error  # as OpenNebula
            if choice.random() < 0.8:
                admin.call("vm.action", "terminate", made)
            # Limits are set anew meanwhile; that must not undo what others count.
            admin.call("user.quota", uid, "VM=[VMS=5]")
        return created

    watcher = threading.Thread(target=watch)
    watcher.start()
    results = together(CLIENTS, live)
    stopped.set()
    watcher.join()
    assert faults == [] and all(isinstance(result, int) for result in results), results
    assert sum(int(str(result)) for result in results) > CLIENTS
    pool = xmldoc.parse(frontend.client().call("vmpool.info", -2, -1, -1, -1, ""))
    for uid, _ in (first, second):
        mine = [vm for vm in pool.findall("VM") if vm.findtext("UID") == str(uid)]
        assert used(frontend, "user", uid, "VMS") == len(mine)
        assert used(frontend, "user", uid, "SYSTEM_DISK_SIZE") == 10 * len(mine)
    assert_consistent(frontend)


def test_resuming_at_once(frontend: Frontend) -> None:
    """The engine and the scheduler count too: VMs are started, powered off, and resumed up to the limit."""
    admin = frontend.client()
    _, [(uid, session)] = people(frontend, "runner", 1)
    admin.call("host.allocate", "race-node", "dummy", "dummy", 0)
    mine = [int(str(create(frontend, session))) for _ in range(6)]
    for vm_id in mine:
        admin.call("vm.action", "release", vm_id)
    wait_for(frontend, mine, "3", "3")
    for vm_id in mine:
        admin.call("vm.action", "poweroff-hard", vm_id)
    wait_for(frontend, mine, "8", "0")
    assert used(frontend, "user", uid, "RUNNING_VMS") == 0
    admin.call("user.quota", uid, "VM=[RUNNING_VMS=2]")
    results = together(len(mine), lambda n: frontend.client(session).call("vm.action", "resume", mine[n]))
    assert (
        sorted(map(str, results))[:2]
        == sorted(str(n) for n, r in zip(mine, results, strict=True) if r == n)[:2]
    )
    assert results.count(f"refused {ACTION:#x}") == len(mine) - 2
    assert used(frontend, "user", uid, "RUNNING_VMS") == 2
    for vm_id in mine:
        admin.call("vm.recover", vm_id, 3)
    wait_for(frontend, mine, "6", "0")
    assert used(frontend, "user", uid, "VMS") == 0
    assert_consistent(frontend)


def wait_for(frontend: Frontend, vm_ids: list[int], state: str, lcm_state: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        pool = xmldoc.parse(frontend.client().call("vmpool.infoset", ",".join(map(str, vm_ids)), False))
        found = {(vm.findtext("STATE"), vm.findtext("LCM_STATE")) for vm in pool.findall("VM")}
        if found == {(state, lcm_state)}:
            return
        assert time.monotonic() < deadline, f"waiting for {state}/{lcm_state}, found {found}"
        time.sleep(0.2)
