"""Documents of networks, network templates and security groups fit OpenNebula's schemas."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.core import Core
from tests.support.schemas import Schemas

LAN = (
    "NAME=lan\nVN_MAD=802.1Q\nPHYDEV=eth0\nAUTOMATIC_VLAN_ID=YES\nDNS=1.1.1.1\n"
    'AR=[TYPE=IP4_6,IP=10.0.0.1,SIZE=10,ULA_PREFIX="fd00::",GLOBAL_PREFIX="2001:a::"]\nAR=[TYPE=ETHER,SIZE=2]'
)


@pytest.fixture
def zone(core: Core) -> Core:
    """A zone with a network in use, a reservation, a network template and a security group."""
    core.call("vn.allocate", LAN, -1)
    core.call("vn.hold", 0, "LEASES=[IP=10.0.0.3]")
    core.call("vn.reserve", 0, "NAME=mine\nSIZE=3")
    core.call("vm.allocate", "CPU=1\nMEMORY=1\nNIC=[NETWORK_ID=0]", True)
    core.call("vn.lock", 0, 3)
    core.call("vntemplate.allocate", "NAME=t\nVN_MAD=bridge\nAR=[TYPE=ETHER,SIZE=4]")
    core.call("secgroup.allocate", 'NAME=g\nRULE=[PROTOCOL=TCP,RULE_TYPE=inbound,RANGE="22:80"]')
    return core


def test_documents(zone: Core, shared_folder: Path) -> None:
    schemas = Schemas(shared_folder / "spec/xsd")
    for method, args, root in (
        ("vn.info", (0,), "VNET"),
        ("vn.info", (1,), "VNET"),
        ("secgroup.info", (0,), "SECURITY_GROUP"),
        ("secgroup.info", (100,), "SECURITY_GROUP"),
        ("secgrouppool.info", (-2, -1, -1), "SECURITY_GROUP_POOL"),
        ("vntemplate.info", (0,), "VNTEMPLATE"),
        ("vntemplatepool.info", (-2, -1, -1), "VNTEMPLATE_POOL"),
    ):
        document = zone.call(method, *args)
        assert document.startswith(f"<{root}>") and schemas.knows(root)
        assert schemas.problem(document) is None, f"{schemas.problem(document)}\n{document}"


def test_the_pool_shows_leases_as_they_are_stored(zone: Core) -> None:
    # The published schema does not have this element, but OpenNebula's answers do.
    pool = zone.info("vnpool.info", -2, -1, -1)
    assert [net.findtext("ID") for net in pool] == ["1", "0"]
    stored = pool.findall("VNET/AR_POOL/AR")
    assert [each.findtext("ALLOCATED") for each in stored] == [
        None, " 0 68719476736 2 73014444031 3 274877906945 4 274877906945 5 274877906945", None,
    ]  # fmt: skip
