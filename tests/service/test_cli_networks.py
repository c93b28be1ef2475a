"""Networks, their templates, security groups and virtual routers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.shell import Shell, at_a_new_front_end

pytestmark = pytest.mark.timeout(120)

AR = 'AR=[TYPE="IP4",IP="10.0.0.10",SIZE="20"]'


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """oneadmin's shell at a front-end without machines."""
    with at_a_new_front_end(tmp_path_factory.mktemp("networks")) as found:
        yield found


def test_address_ranges(shell: Shell, tmp_path: Path) -> None:
    """onevnet addar rmar updatear addleases rmleases free hold release reserve orphans"""
    oid = shell.created("onevnet create", 'NAME="ranges"\nVN_MAD="dummy"\nBRIDGE="b"\n' + AR)
    assert shell.ok("onevnet addar -v ranges --size 4 --mac 02:00:00:00:00:01").endswith(": lease added\n")
    shell.ok(
        "onevnet addar ranges -s 8 -i 10.1.0.1 -6 2001:db8::1/64 --gateway 10.1.0.254 --netmask 255.255.255.0"
    )
    shell.ok("onevnet addar ranges -s 8 -i 10.3.0.1 -g 2001:db8:: -u fd00:: --vn_mad dummy --vlanid 7")
    (tmp_path / "range").write_text('AR=[TYPE="ETHER",SIZE="2"]')
    shell.ok(f"onevnet addar ranges {tmp_path}/range")
    ranges = ElementTree.fromstring(shell.ok("onevnet show ranges -x")).findall("AR_POOL/AR")
    assert [r.findtext("TYPE") for r in ranges] == ["IP4", "ETHER", "IP4_6_STATIC", "IP4_6", "ETHER"]
    assert (ranges[2].findtext("PREFIX_LENGTH"), ranges[2].findtext("GATEWAY")) == ("64", "10.1.0.254")
    assert ranges[3].findtext("VLAN_ID") == "7"
    assert "--size is missing" in shell.refused("onevnet addar ranges --ip 10.9.0.1")
    assert "expected an address with prefix length" in shell.refused(
        "onevnet addar ranges -s 2 --ip6 2001::1"
    )
    assert "a file or options" in shell.refused(f"onevnet addar ranges {tmp_path}/range -s 2")
    shell.ok("onevnet updatear ranges 0 -a -", 'GATEWAY="10.0.0.1"\nNOTE="x"')
    shell.ok(f"onevnet updatear {oid} 0 -a -", "DNS = 10.0.0.2")
    shown = shell.ok("onevnet show ranges --show-ar")
    assert 'GATEWAY="10.0.0.1"' in shown and 'DNS="10.0.0.2"' in shown and 'NOTE="x"' in shown
    shell.ok("onevnet updatear ranges 0 -", 'AR=[AR_ID="0",GATEWAY="10.0.0.9"]')
    shell.edit_with('s/GATEWAY="10.0.0.9"/GATEWAY="10.0.0.8"/')
    shell.ok("onevnet updatear ranges 0", terminal=True)
    assert 'GATEWAY="10.0.0.8"' in shell.ok("onevnet show ranges --show-ar")
    assert shell.refused("onevnet updatear ranges 77 -", "A=1") == f"VNET {oid} has no address range 77."
    shell.ok("onevnet hold ranges 10.0.0.11")
    shell.ok("onevnet hold ranges 10.0.0.12 -a 0")
    assert shell.cells("onevnet", oid, "LEASES") == ["2"]
    assert shell.refused("onevnet rmar ranges 0").startswith("[one.vn.rm_ar]")
    shell.ok("onevnet release ranges 10.0.0.11")
    shell.ok("onevnet release ranges 02:00:0a:00:00:0c")
    assert "Expected an IPv4, IPv6 or MAC address" in shell.refused("onevnet hold ranges here")
    shell.ok("onevnet addleases ranges 10.7.0.1 02:00:00:00:07:01")
    assert "already" in shell.refused("onevnet addleases ranges 10.7.0.1")
    shell.ok("onevnet rmleases ranges 10.7.0.1")
    assert "no address range" in shell.refused("onevnet rmleases ranges 10.7.0.1")
    part = shell.created("onevnet reserve ranges -n part -s 3 -a 0 -i 10.0.0.15")
    assert shell.created("onevnet reserve ranges part -s 2 -a 0") == part
    assert "--size is missing" in shell.refused("onevnet reserve ranges -n x")
    assert "--name is missing" in shell.refused("onevnet reserve ranges -s 1")
    shell.ok("onevnet free part 1")
    assert shell.refused("onevnet free part 9").startswith("[one.vn.free_ar]")
    shell.ok("onevnet rmar ranges 1")
    shell.ok("onevnet rmar ranges 2 --force")
    template = shell.created("onetemplate create", 'NAME="uses"\nCPU=1\nMEMORY=1\nNIC=[NETWORK="ranges"]')
    orphans = shell.ok("onevnet orphans").split()
    assert part in orphans and oid not in orphans
    shell.ok(f"onetemplate delete {template}")
    shell.ok(f"onevnet delete {part}")
    shell.ok("onevnet delete ranges")
    assert shell.refused("onevnet create -c nowhere", "x") == "CLUSTER named nowhere not found."


def test_templates_of_networks(shell: Shell, tmp_path: Path) -> None:
    """onevntemplate create --dry clone instantiate"""
    text = 'NAME="stencil"\nVN_MAD="dummy"\nBRIDGE="b"'
    assert shell.ok("onevntemplate create --dry", text) == text + "\n"
    shell.created("onevntemplate create", text)
    copy = shell.created("onevntemplate clone stencil copy")
    lines = shell.ok(
        "onevntemplate instantiate copy --name net-%i --multiple 2 -s 4 --ip 10.8.0.1 -m 02:00:00:00:00:09"
    )
    ids = re.findall(r"^VN ID: (\d+)$", lines, re.M)
    assert [shell.cells("onevnet", oid, "NAME") for oid in ids] == [["net-0"], ["net-1"]]
    assert "10.8.0.4" in shell.ok("onevnet show net-0")
    (tmp_path / "more").write_text('NOTE="from file"\n' + AR)
    third = shell.created(f"onevntemplate instantiate {copy} {tmp_path}/more --name net-2")
    assert 'NOTE="from file"' in shell.ok(f"onevnet show {third}")
    assert "a file or options" in shell.refused(f"onevntemplate instantiate copy {tmp_path}/more -s 4")
    shell.ok(f"onevnet delete {','.join([*ids, third])}")
    shell.ok("onevntemplate delete stencil,copy")


def test_security_groups(shell: Shell) -> None:
    """onesecgroup clone commit"""
    shell.created("onesecgroup create", 'NAME="shield"\nRULE=[PROTOCOL="ALL",RULE_TYPE="outbound"]')
    copy = shell.created("onesecgroup clone shield shield2")
    assert shell.cells("onesecgroup", copy, "NAME,UPDATED,OUTDATED,ERROR") == ["shield2", "0", "0", "0"]
    assert shell.ok("onesecgroup commit -v shield").endswith(": commit\n")
    shell.ok(f"onesecgroup commit {copy} --recover")
    shell.ok("onesecgroup delete shield,shield2")


def test_virtual_routers(shell: Shell, tmp_path: Path) -> None:
    """onevrouter nic-attach nic-detach instantiate"""
    net = shell.created("onevnet create", 'NAME="routed"\nVN_MAD="dummy"\nBRIDGE="b"\n' + AR)
    oid = shell.created("onevrouter create", 'NAME="gate"\nNIC=[NETWORK="routed"]')
    template = shell.created(
        "onetemplate create",
        'NAME="router"\nCPU=1\nMEMORY=64\nVROUTER="YES"\nUSER_INPUTS=[PASS="M|text|Secret"]',
    )
    shell.ok("onevrouter nic-attach -v gate -n routed --ip 10.0.0.20 --float")
    (tmp_path / "nic").write_text(f"NIC=[NETWORK_ID={net}]")
    shell.ok(f"onevrouter nic-attach gate --file {tmp_path}/nic")
    shown = shell.ok("onevrouter show gate")
    assert re.search(r"^  1 routed +NO ", shown, re.M) and "NIC=[" not in shown
    assert 'VROUTER_IP="10.0.0.20"' in shell.ok("onevrouter show gate --all")
    shell.ok("onevrouter nic-detach gate 2")
    assert not re.search(r"^  2 routed", shell.ok("onevrouter show gate"), re.M)
    assert "--network or --file" in shell.refused("onevrouter nic-attach gate")
    asked = shell.refused("onevrouter instantiate gate router")
    assert "PASS" in asked
    shell.ok("onevrouter instantiate gate router --name r-%i -m 2 --hold --cpu 0.5 --user-inputs PASS=x")
    machines = ElementTree.fromstring(shell.ok("onevrouter show gate -x")).findall("VMS/ID")
    assert len(machines) == 2
    (tmp_path / "more").write_text('NOTE="f"')
    assert "a file or options" in shell.refused(f"onevrouter instantiate gate router {tmp_path}/more --cpu 1")
    shell.ok("onevrouter delete gate")
    assert shell.refused(f"onevrouter show {oid}").startswith("[one.vrouter.info]")
    shell.ok(f"onetemplate delete {template}")
