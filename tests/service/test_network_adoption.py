"""Networks, leases and security groups of a real OpenNebula 6.0.0.3 are taken over and go on working."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import xmldoc
from services.oned.fsck import clusters, networks, secgroups
from services.oned.fsck.zone import Zone as Documents
from tests.service.conftest import mysql_section
from tests.support.mariadb import MariaDb
from tests.support.zone import Zone


@pytest.fixture(params=["admin", "vms"])
def adopted(
    request: pytest.FixtureRequest, shared_folder: Path, mariadb: MariaDb, tmp_path: Path
) -> Iterator[Zone]:
    """A zone on the database of a dump."""
    name = f"one_networks_{request.param}"
    section = mysql_section(mariadb, name)
    text = (shared_folder / f"dumps/opennebula-6.0.0.3-{request.param}.sql").read_text()
    mariadb.sql(f"USE {name};\n{text}")
    zone = Zone(tmp_path, section)
    yield zone
    zone.close()


def _contradictions(zone: Zone) -> list[str]:
    with zone.store.read() as tx:
        documents = Documents(tx)
        return [line for module in (clusters, networks, secgroups) for line in module.check(documents)]


def test_what_was_taken_over_is_consistent_and_stays_so(adopted: Zone) -> None:
    assert _contradictions(adopted) == []
    before = adopted.value("one.vn.info", 0)
    used = int(xmldoc.parse(before).findtext("USED_LEASES") or 0)
    assert used > 0
    vm_id = adopted.value("one.vm.allocate", "CPU=1\nMEMORY=1\nNIC=[NETWORK_ID=0]", True)
    reserved = adopted.value("one.vn.reserve", 0, "NAME=more\nSIZE=2")
    after = xmldoc.parse(adopted.value("one.vn.info", 0))
    leases = after.findall("AR_POOL/AR/LEASES/LEASE")
    owners = [(lease.findtext("VM"), lease.findtext("VNET")) for lease in leases][used:]
    assert owners == [(str(vm_id), None), (None, str(reserved)), (None, str(reserved))]
    assert _contradictions(adopted) == []
    adopted.value("one.vn.delete", reserved)
    adopted.value("one.vm.recover", vm_id, 3)
    assert adopted.value("one.vn.info", 0) == before
    assert _contradictions(adopted) == []


def test_vlan_ids_go_on(adopted: Zone) -> None:
    pool = xmldoc.parse(adopted.value("one.vnpool.info", -2, -1, -1))
    taken = {net.findtext("VLAN_ID") for net in pool if net.findtext("VLAN_ID_AUTOMATIC") == "1"}
    for number in range(4):
        wish = f"NAME=v{number}\nVN_MAD=802.1Q\nPHYDEV=eth0\nAUTOMATIC_VLAN_ID=YES"
        oid = adopted.value("one.vn.allocate", wish, -1)
        vlan_id = xmldoc.parse(adopted.value("one.vn.info", oid)).findtext("VLAN_ID")
        assert vlan_id not in taken
        taken.add(vlan_id)
    assert _contradictions(adopted) == []
