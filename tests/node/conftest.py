"""What tests of the node ring share. Everything is made once for a run and removed at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import containers
from tests.support.containers import Engine
from tests.support.node import nodes
from tests.support.node.cloud import NodeCloud
from tests.support.node.nodes import Guest, Network, Node

_TIMEOUT_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a process may have to wait for images that are built, then emulated machines boot."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_TIMEOUT_S))


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Docker, which the nodes run in."""
    found = containers.docker()
    if found is None:
        pytest.skip("no Docker engine answers")
    return found


@pytest.fixture(scope="session")
def node_image(engine: Engine) -> str:
    """The image of a machine with a node's packages."""
    return nodes.build(engine)


@pytest.fixture(scope="session")
def hypervisor(engine: Engine, node_image: str) -> str:
    """kvm or qemu."""
    return nodes.hypervisor(engine, node_image)


@pytest.fixture(scope="session")
def guest(engine: Engine, node_image: str, tmp_path_factory: pytest.TempPathFactory) -> Guest:
    """Kernel and initramfs of the guest."""
    return nodes.guest(engine, node_image, tmp_path_factory.mktemp("guest"))


@pytest.fixture(scope="session")
def data_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with an empty file system."""
    return nodes.data_disk(tmp_path_factory.mktemp("data") / "data.qcow2")


@pytest.fixture(scope="module")
def net(engine: Engine) -> Iterator[Network]:
    """Networks for nodes and guests."""
    with nodes.network(engine) as made:
        yield made


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeCloud]:
    """A native front-end without hosts."""
    made = NodeCloud(tmp_path_factory.mktemp("fe"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def node(net: Network, node_image: str, cloud: NodeCloud, hypervisor: str) -> Iterator[Node]:
    """A node that the front-end may reach (not a host of it yet)."""
    with nodes.start(net, node_image, cloud.key, cloud.datastores, hypervisor=hypervisor) as made:
        yield made


@pytest.fixture(scope="module")
def second_node(net: Network, node_image: str, cloud: NodeCloud, hypervisor: str) -> Iterator[Node]:
    """Another one."""
    with nodes.start(net, node_image, cloud.key, cloud.datastores, hypervisor=hypervisor) as made:
        yield made
