"""Hosts that fall silent and come back: the rules of monitoring on a real node; encrypted reports."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.node.cloud import NodeCloud, wait
from tests.support.node.nodes import Node

_MONITORED, _ERROR, _DISABLED, _OFFLINE = "2", "3", "4", "8"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeCloud]:
    """A front-end that misses silent hosts soon, and takes encrypted reports only."""
    made = NodeCloud(tmp_path_factory.mktemp("fe"))
    made.watch_closely()
    conf = made.folder / "etc/monitord.conf"
    text = conf.read_text()
    for half, data in zip(("PUBKEY", "PRIKEY"), _key_pair(), strict=True):
        file = made.folder / f"var/.one/{half.lower()}.pem"
        file.touch(0o600)
        file.write_bytes(data)
        text, count = re.subn(rf'({half}\s*=\s*)""', rf'\g<1>"{file}"', text)
        assert count == 1, half
    conf.write_text(text)
    try:
        made.start()
        yield made
    finally:
        made.close()


def _key_pair() -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(65_537, 2048)
    return (
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
    )


def agents(node: Node) -> list[int]:
    """The processes of monitoring agents."""
    return [int(pid) for pid in node.sh("pgrep -f 'im_agent.py (start|resume)' || true").split()]


def state(cloud: NodeCloud, host: int) -> str:
    return cloud.show("host", host).findtext("STATE") or ""


def load_time(cloud: NodeCloud, host: int) -> int:
    """When the newest sample of the host's load came, by the front-end's clock."""
    return int(cloud.show("host", host).findtext("MONITORING/TIMESTAMP") or 0)


def log(cloud: NodeCloud) -> str:
    return (cloud.folder / "var/monitor.log").read_text()[-3000:]


def test_silence_and_return(cloud: NodeCloud, node: Node) -> None:
    """One host through all of it; each step builds upon the one before."""
    host = cloud.add_host(node)
    asked_s = time.time()
    wait("an encrypted report", lambda: load_time(cloud, host) > asked_s, said=lambda: log(cloud))
    assert "not encrypted" not in log(cloud)

    # An agent that is gone is started again.
    node.sh("pkill -9 -f 'im_agent.py (start|resume)'")
    wait("a new agent", lambda: agents(node), said=lambda: log(cloud))
    assert state(cloud, host) == _MONITORED

    # A node that cannot be reached, and can be again.
    node.exec("ip", "link", "set", "eth0", "down")
    wait("the host's error", lambda: state(cloud, host) == _ERROR, said=lambda: log(cloud))
    node.exec("ip", "link", "set", "eth0", "up")
    wait("the host's return", lambda: state(cloud, host) == _MONITORED, said=lambda: log(cloud))
    wait("the agent", lambda: agents(node), said=lambda: log(cloud))

    # Disabled hosts are monitored, offline ones are not.
    cloud.one("onehost", "disable", str(host))
    asked_s = time.time()
    wait("a report of a disabled host", lambda: load_time(cloud, host) > asked_s, said=lambda: log(cloud))
    assert state(cloud, host) == _DISABLED
    cloud.one("onehost", "offline", str(host))
    wait("no agent", lambda: not agents(node), said=lambda: log(cloud))
    assert state(cloud, host) == _OFFLINE
    cloud.one("onehost", "enable", str(host))
    wait("the host's return", lambda: state(cloud, host) == _MONITORED, said=lambda: log(cloud))

    cloud.one("onehost", "delete", str(host))
    wait("no agent", lambda: not agents(node), said=lambda: log(cloud))
