"""Documents fit OpenNebula's schemas in every state that a VM goes through, alone and in pools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import xmldoc
from tests.support import crash
from tests.support.frontend import Frontend
from tests.support.schemas import Schemas

pytestmark = pytest.mark.timeout(120)

# action: the LCM and VM states that a VM with slow drivers passes, as (STATE, LCM_STATE)
_WAYS = {
    "deploy": [(3, 2), (3, 3)],
    "suspend": [(3, 6), (5, 0)],
    "resume": [(3, 21), (3, 3)],
    "poweroff": [(3, 18), (8, 0)],
    "undeploy": [(3, 30), (9, 0)],
    "terminate": [(3, 11), (6, 0)],
}


@pytest.fixture(scope="module")
def schemas(shared_folder: Path) -> Schemas:
    """The published schemas."""
    return Schemas(shared_folder / "spec/xsd")


@pytest.fixture(scope="module")
def slow_vm(frontend: Frontend) -> Iterator[int]:
    """A VM on a dummy host whose driver actions take long enough to be seen."""
    client = frontend.client()
    hosts, _ = crash.prepare(client, "slow")
    yield client.call(
        "vm.allocate",
        'NAME="slow one"\nCPU=0.1\nMEMORY=16\nDISK=[TYPE="fs",SIZE="10"]\n'
        'GRAPHICS=[TYPE="VNC",LISTEN="0.0.0.0"]\n'
        'NOTE="]]> & <b>"\nDUMMY=[DELAY_S="0.5"]',
        True,
    )
    for host in hosts:
        client.call("host.delete", host)


def check(frontend: Frontend, schemas: Schemas, vm_id: int) -> tuple[int, int]:
    """The VM's state, after all documents that show it were validated."""
    client = frontend.client()
    documents = [
        client.call("vm.info", vm_id, False),
        client.call("vmpool.info", -2, vm_id, vm_id, -2),
        # the extended pool holds whole documents, for which VM has the schema
        client.call("vmpool.infoextended", -2, vm_id, vm_id, -2)
        .removeprefix("<VM_POOL>")
        .removesuffix("</VM_POOL>"),
        client.call("hostpool.info"),
    ]
    for document in documents:
        assert schemas.problem(document) is None, f"{schemas.problem(document)}\n{document}"
    body = documents[0]
    state, lcm_state = (int(body.split(f"<{tag}>")[1].split("<")[0]) for tag in ("STATE", "LCM_STATE"))
    return state, lcm_state


def test_every_state_on_the_way(frontend: Frontend, schemas: Schemas, slow_vm: int) -> None:
    client = frontend.client()
    assert schemas.knows("VM") and schemas.knows("VM_POOL") and schemas.knows("HOST_POOL")
    assert check(frontend, schemas, slow_vm) == (2, 0)
    client.call("vm.action", "release", slow_vm)
    for action, states in _WAYS.items():
        if action != "deploy":
            client.call("vm.action", action, slow_vm)
        seen: set[tuple[int, int]] = set()
        for expected in states:

            def reached(wanted: tuple[int, int] = expected, seen: set[tuple[int, int]] = seen) -> bool:
                seen.add(check(frontend, schemas, slow_vm))
                return wanted in seen

            crash.wait(reached, f"{action}: {expected}, seen {seen}", 30)


def test_hostile_texts_come_back_as_they_were(frontend: Frontend, slow_vm: int) -> None:
    vm = xmldoc.parse(frontend.client().call("vm.info", slow_vm, False))
    assert vm.findtext("USER_TEMPLATE/NOTE") == "]]> & <b>"
