"""A machine's day through a native front-end, on two nodes without shared folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.node.cloud import NodeCloud
from tests.support.node.day import Day
from tests.support.node.nodes import Guest, Network, Node


@pytest.fixture(scope="module")
def hosts(cloud: NodeCloud, node: Node, second_node: Node) -> dict[int, Node]:
    """Both nodes as hosts."""
    cloud.use_tm("ssh")
    return {cloud.add_host(each): each for each in (node, second_node)}


@pytest.mark.timeout(900)
def test_day(cloud: NodeCloud, hosts: dict[int, Node], net: Network, guest: Guest, data_image: Path) -> None:
    """Everything that an operator does with a machine, and nothing is left of it."""
    images = cloud.guest_images(guest, data_image)
    day = Day(cloud, hosts, images, cloud.guest_network(net))
    saved = day.whole()
    assert cloud.show("image", saved).findtext("STATE") == "1"
    cloud.end_programs()
    assert "Total errors found: 0" in cloud.one("onedb", "fsck")
