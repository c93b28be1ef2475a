"""A host is on once its node has answered, without waiting for a timer, and err when the node is dead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import nodes
from tests.support.node.cloud import NodeCloud
from tests.support.node.nodes import Network

_MONITORED, _ERROR = 2, 3


def _front_end(folder: Path, **settings: int) -> NodeCloud:
    """A front-end whose monitord has these settings."""
    made = NodeCloud(folder)
    conf = made.folder / "etc/monitord.conf"
    text = conf.read_text()
    for name, seconds in settings.items():
        text, count = re.subn(rf"(?m)^#?(\s*{name}\s*=\s*)\d+", rf"\g<1>{seconds}", text)
        assert count == 1, name
    conf.write_text(text)
    made.start()
    return made


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[NodeCloud]:
    """A front-end that looks at silent hosts once an hour, and whose agents report as rarely."""
    periods = dict.fromkeys(("BEACON_HOST", "SYSTEM_HOST", "MONITOR_HOST"), 3600)
    made = _front_end(tmp_path / "fe", MONITORING_INTERVAL_HOST=3600, MANAGER_TIMER=3600, **periods)
    yield made
    made.close()


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[NodeCloud]:
    """A front-end that takes a silence of seconds for a sign."""
    made = _front_end(tmp_path / "fe", MONITORING_INTERVAL_HOST=6, MANAGER_TIMER=1, BEACON_HOST=2)
    yield made
    made.close()


def test_a_new_host_is_on_without_waiting_for_a_timer(
    patient: NodeCloud, net: Network, node_image: str
) -> None:
    """Every timer is an hour: only the agent's first answer can have done it."""
    with nodes.start(net, node_image, patient.key, patient.datastores) as node:
        host = patient.add_host(node)
        assert int(patient.show("host", host).findtext("HOST_SHARE/TOTAL_MEM") or 0) > 0


def test_a_dead_node_is_an_error_with_a_reason(hasty: NodeCloud, net: Network, node_image: str) -> None:
    """The node loses its power; its host says that it cannot be reached."""
    with nodes.start(net, node_image, hasty.key, hasty.datastores) as node:
        host = hasty.add_host(node)
        net.engine.call("kill", node.name)
        hasty.wait_host(host, _ERROR)
        assert hasty.show("host", host).findtext("TEMPLATE/ERROR")
        assert "err" in hasty.one("onehost", "list")
