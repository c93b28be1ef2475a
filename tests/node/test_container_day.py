"""A machine's day through the front-end's image: Docker, MariaDB, nodes that are known by name.

With disks of each node, and with datastores that all see: oneadmin is one user everywhere for those.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import containers
from tests.support.containers import Engine
from tests.support.node import container, nodes, shared_day
from tests.support.node.container import ContainerCloud
from tests.support.node.day import Day
from tests.support.node.nodes import Guest, Network, Node
from tests.support.node.shared_day import Pair, SharedDay

_DRIVERS = ("shared", "qcow2")
# The folders of the datastores that the tests make of them.
_NUMBERS = tuple(range(100, 100 + 2 * len(_DRIVERS)))
_SHARED = [f"/var/lib/one/datastores/{number}" for number in _NUMBERS]


@pytest.fixture(scope="module")
def volumes(engine: Engine) -> Iterator[dict[str, str]]:
    """What all machines mount: a volume for each shared datastore."""
    with containers.volumes(engine, *_SHARED) as made:
        yield made


@pytest.fixture(scope="module")
def front_end(
    engine: Engine, net: Network, volumes: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ContainerCloud]:
    """A front-end of the image made from this tree."""
    folder = tmp_path_factory.mktemp("front-end")
    with container.start(net, containers.build(engine), folder, volumes) as made:
        yield made


@pytest.fixture(scope="module")
def hosts(
    front_end: ContainerCloud, net: Network, volumes: dict[str, str], node_image: str, hypervisor: str
) -> Iterator[dict[int, Node]]:
    """Two nodes that it manages."""
    front_end.use_tm("ssh")
    front_end.trust_shared_folders()
    if hypervisor != "kvm":
        front_end.allow_live_snapshots(f"{hypervisor}-qcow2")
    options = [word for name, path in volumes.items() for word in ("-v", f"{name}:{path}")]
    with ExitStack() as stack:
        made = [
            stack.enter_context(
                nodes.start(
                    net, node_image, front_end.key, front_end.datastores_path, options, hypervisor=hypervisor
                )
            )
            for _ in range(2)
        ]
        yield {front_end.add_host(node): node for node in made}


@pytest.fixture(scope="module")
def images(
    front_end: ContainerCloud, hosts: dict[int, Node], guest: Guest, data_image: Path
) -> tuple[int, int, int]:
    """Kernel and initramfs, and a disk that is copied to nodes."""
    return front_end.guest_images(guest, data_image)


@pytest.fixture(scope="module")
def network(front_end: ContainerCloud, net: Network) -> int:
    """The guests'."""
    return front_end.guest_network(net)


@pytest.fixture(scope="module")
def pairs(front_end: ContainerCloud) -> dict[str, Pair]:
    """Datastores of each driver, with the numbers that are mounted."""
    made = {driver: shared_day.datastores(front_end, driver) for driver in _DRIVERS}
    paths = [
        f"{front_end.datastores_path}/{number}"
        for pair in made.values()
        for number in (pair.system, pair.images)
    ]
    assert paths == _SHARED
    return made


@pytest.mark.timeout(900)
def test_day(
    front_end: ContainerCloud, hosts: dict[int, Node], images: tuple[int, int, int], network: int
) -> None:
    """The same as through a native front-end."""
    day = Day(front_end, hosts, images, network)
    day.mounted = _NUMBERS
    saved = day.whole()
    assert front_end.show("image", saved).findtext("STATE") == "1"
    assert "Total errors found: 0" in front_end.one("onedb", "fsck")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("driver", _DRIVERS)
def test_shared_day(
    front_end: ContainerCloud,
    hosts: dict[int, Node],
    images: tuple[int, int, int],
    network: int,
    pairs: dict[str, Pair],
    data_image: Path,
    driver: str,
) -> None:
    """Datastores that all machines mount."""
    pair = pairs[driver]
    path = front_end.put(data_image)
    data = front_end.image(f'NAME="{driver}"\nTYPE="OS"\nPATH="{path}"\nDEV_PREFIX="vd"\n', pair.images)
    day = SharedDay(front_end, hosts, (*images[:2], data), network, pair)
    day.mounted = _NUMBERS
    day.whole()
    assert "Total errors found: 0" in front_end.one("onedb", "fsck")
