"""A machine's day through the front-end's image: Docker, MariaDB, nodes that are known by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import containers
from tests.support.containers import Engine
from tests.support.node import container, nodes
from tests.support.node.container import ContainerCloud
from tests.support.node.day import Day
from tests.support.node.nodes import Guest, Network, Node


@pytest.fixture(scope="module")
def front_end(
    engine: Engine, net: Network, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ContainerCloud]:
    """A front-end of the image made from this tree."""
    with container.start(net, containers.build(engine), tmp_path_factory.mktemp("front-end")) as made:
        yield made


@pytest.fixture(scope="module")
def hosts(
    front_end: ContainerCloud, net: Network, node_image: str, hypervisor: str
) -> Iterator[dict[int, Node]]:
    """Two nodes that it manages."""
    front_end.use_tm("ssh")
    with ExitStack() as stack:
        made = [
            stack.enter_context(
                nodes.start(net, node_image, front_end.key, front_end.datastores_path, hypervisor=hypervisor)
            )
            for _ in range(2)
        ]
        yield {front_end.add_host(node): node for node in made}


@pytest.mark.timeout(900)
def test_day(
    front_end: ContainerCloud, hosts: dict[int, Node], net: Network, guest: Guest, data_image: Path
) -> None:
    """The same as through a native front-end."""
    day = Day(front_end, hosts, front_end.guest_images(guest, data_image), front_end.guest_network(net))
    saved = day.whole()
    assert front_end.show("image", saved).findtext("STATE") == "1"
    assert "Total errors found: 0" in front_end.one("onedb", "fsck")
