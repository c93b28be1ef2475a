"""Thirty-two clients at once, on each database: no address and no VLAN id is given out twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.common import xmldoc
from services.common.oca import OneError
from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(180)

CLIENTS = 32
ACTION, INTERNAL = 0x800, 0x2000


def together(work: Callable[[int], list[object]]) -> list[object]:
    """What ``work(0..CLIENTS-1)`` gave, all begun at the same moment."""
    gate = threading.Barrier(CLIENTS)

    def begin(number: int) -> list[object]:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [result for results in pool.map(begin, range(CLIENTS)) for result in results]


def attempt(frontend: Frontend, method: str, *args: object) -> object:
    """The value of a call, or the code of its refusal as a text."""
    try:
        return frontend.client().call(method, *args)
    except OneError as error:
        return f"refused {error.code:#x}"


def network(frontend: Frontend, name: str, size: int) -> int:
    """A new network of one range."""
    oid: int = frontend.client().call(
        "vn.allocate", f"NAME={name}\nVN_MAD=dummy\nBRIDGE=b\nAR=[TYPE=IP4,IP=10.0.0.1,SIZE={size}]", -1
    )
    return oid


def vm(frontend: Frontend, net: int, wish: str = "") -> object:
    """A new VM on hold with a card in the network."""
    nic = f"NIC=[NETWORK_ID={net}{wish}]"
    return attempt(frontend, "vm.allocate", f"CPU=1\nMEMORY=1\n{nic}", True)


def leases(frontend: Frontend, net: int) -> dict[str, str]:
    """Owner by address, as the network has them."""
    document = xmldoc.parse(frontend.client().call("vn.info", net))
    found = {}
    for lease in document.iterfind("AR_POOL/AR/LEASES/LEASE"):
        owner = next(part for part in lease if part.tag in ("VM", "VNET"))
        found[lease.findtext("IP") or ""] = f"{owner.tag} {owner.text}"
    assert document.findtext("USED_LEASES") == str(len(found))
    return found


def addresses(frontend: Frontend, vm_ids: Sequence[object]) -> dict[str, str]:
    """The same, as the VMs have them."""
    found: dict[str, str] = {}
    for vm_id in vm_ids:
        document = xmldoc.parse(frontend.client().call("vm.info", vm_id))
        for nic in document.iterfind("TEMPLATE/NIC"):
            address = nic.findtext("IP") or ""
            assert address not in found, f"{address} was given to {found[address]} and VM {vm_id}"
            found[address] = f"VM {vm_id}"
    return found


def assert_consistent(frontend: Frontend) -> None:
    checked = frontend.run("onedb", "fsck", "--dry-run")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_more_vms_than_addresses(frontend: Frontend) -> None:
    size = 80
    net = network(frontend, "small", size)
    results = together(lambda _: [vm(frontend, net) for _ in range(4)])
    made = [result for result in results if isinstance(result, int)]
    assert len(made) == size and set(results) - set(made) == {f"refused {INTERNAL:#x}"}
    given = addresses(frontend, made)
    assert given == leases(frontend, net)
    assert sorted(given) == sorted(f"10.0.0.{number}" for number in range(1, size + 1))
    assert_consistent(frontend)
    shares = [made[number::CLIENTS] for number in range(CLIENTS)]
    gone = together(lambda n: [attempt(frontend, "vm.action", "terminate-hard", oid) for oid in shares[n]])
    assert set(gone) == set(made)
    assert leases(frontend, net) == {}
    assert_consistent(frontend)


def test_one_address_for_all(frontend: Frontend) -> None:
    net = network(frontend, "popular", 10)
    results = together(lambda _: [vm(frontend, net, ",IP=10.0.0.7")])
    [winner] = [result for result in results if isinstance(result, int)]
    assert leases(frontend, net) == {"10.0.0.7": f"VM {winner}"}
    held = together(lambda _: [attempt(frontend, "vn.hold", net, "LEASES=[IP=10.0.0.8]")])
    assert held.count(net) == 1 and held.count(f"refused {INTERNAL:#x}") == CLIENTS - 1
    assert_consistent(frontend)


def test_cards_reservations_and_holds_side_by_side(frontend: Frontend) -> None:
    size = 120
    net = network(frontend, "busy", size)
    lock = threading.Lock()
    alive: set[object] = set()

    def live(number: int) -> list[object]:
        choice = random.Random(number)
        refused: list[object] = []
        for turn in range(6):
            kind = choice.choice(["vm", "vm", "reserve", "hold"])
            if kind == "vm":
                made = vm(frontend, net)
                if isinstance(made, int) and choice.random() < 0.5:
                    attempt(frontend, "vm.action", "terminate-hard", made)
                elif isinstance(made, int):
                    with lock:
                        alive.add(made)
            elif kind == "reserve":
                wish = f"NAME=r{number}x{turn}\nSIZE={choice.randrange(1, 4)}"
                made = attempt(frontend, "vn.reserve", net, wish)
                if isinstance(made, int) and choice.random() < 0.7:
                    assert attempt(frontend, "vn.delete", made) == made
            else:
                address = f"LEASES=[IP=10.0.0.{choice.randrange(1, size + 1)}]"
                made = attempt(frontend, "vn.hold", net, address)
                if made == net:
                    assert attempt(frontend, "vn.release", net, address) == net
            refused += [made] if isinstance(made, str) else []
        return refused

    refused = together(live)
    assert set(refused) <= {f"refused {INTERNAL:#x}", f"refused {ACTION:#x}"}
    taken = leases(frontend, net)
    own = addresses(frontend, sorted(map(int, map(str, alive))))
    assert own == {address: owner for address, owner in taken.items() if owner.startswith("VM")}
    assert len(own) == len(alive) > 0
    assert_consistent(frontend)


def test_vlan_ids(frontend: Frontend) -> None:
    wish = "VN_MAD=802.1Q\nPHYDEV=eth0\nAUTOMATIC_VLAN_ID=YES"

    def make(number: int) -> list[object]:
        return [attempt(frontend, "vn.allocate", f"NAME=v{number}x{turn}\n{wish}", -1) for turn in range(3)]

    made = together(make)
    assert all(isinstance(oid, int) for oid in made), made
    pool = xmldoc.parse(frontend.client().call("vnpool.info", -2, -1, -1))
    vlan_ids = [net.findtext("VLAN_ID") for net in pool if net.findtext("VN_MAD") == "802.1Q"]
    assert len(vlan_ids) == len(set(vlan_ids)) == 3 * CLIENTS
    shares = [made[number::CLIENTS] for number in range(CLIENTS)]
    together(lambda n: [attempt(frontend, "vn.delete", oid) for oid in shares[n]])
    assert_consistent(frontend)
