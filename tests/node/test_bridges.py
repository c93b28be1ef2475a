"""Bridges and VLAN interfaces of network drivers in a network namespace: made, shared, removed, refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import frames
from tests.support.node.switch import Switch, passes, vm_document

FIRST, SECOND = "02:00:00:00:00:01", "02:00:00:00:00:02"


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    made = Switch(tmp_path)
    try:
        yield made
    finally:
        made.close()


def document(driver: str, vm_id: int = 1, mac: str = FIRST, /, **more: str) -> str:
    given = {
        "NIC_ID": "0", "VN_MAD": driver, "BRIDGE": "onebr.1", "MAC": mac, "TARGET": f"one-{vm_id}-0", **more,
    }  # fmt: skip
    return vm_document(vm_id, [{name: text for name, text in given.items() if text}])


def links(switch: Switch) -> dict[str, dict[str, object]]:
    """What ip says of every interface."""
    rows = json.loads(switch.space.must("ip", "-json", "-details", "link", "show") or "[]")
    return {row["ifname"]: row for row in rows if "ifname" in row}


def link(switch: Switch, name: str) -> dict[str, object]:
    """What ip says of an interface; empty when there is none."""
    return links(switch).get(name, {})


def uplink(switch: Switch, name: str) -> None:
    switch.space.must("ip", "link", "add", "name", name, "type", "veth", "peer", "name", f"{name}.far")


def refused(switch: Switch, driver: str, text: str) -> str:
    """What a refusal of `pre` says; it has changed nothing."""
    before = {name: row.get("master") for name, row in links(switch).items()}
    done = switch.act(driver, "pre", text)
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR MESSAGE --8<------\n")
    assert {name: row.get("master") for name, row in links(switch).items()} == before
    return done.stderr


@pytest.mark.parametrize("driver", ["bridge", "fw"])
def test_a_bridge_is_made_shared_and_removed(switch: Switch, driver: str) -> None:
    uplink(switch, "phys0")
    one, two = document(driver, PHYDEV="phys0"), document(driver, 2, SECOND, PHYDEV="phys0")
    for text in (one, one, two):
        switch.must(driver, "pre", text)
    assert "UP" in link(switch, "onebr.1")["flags"]  # type: ignore[operator]
    assert link(switch, "phys0")["master"] == "onebr.1"
    first, second = (switch.plug(f"one-{at}-0", mac, "onebr.1") for at, mac in ((1, FIRST), (2, SECOND)))
    for vm_id, text in ((1, one), (2, two)):
        switch.must(driver, "post", text, f"one-{vm_id}", "node")
    assert passes(first, second, frames.arp(FIRST, "10.0.0.1", "10.0.0.2"))
    switch.space.must("ip", "link", "delete", "dev", "one-1-0")
    switch.must(driver, "clean", one, "node")
    assert link(switch, "onebr.1")
    switch.space.must("ip", "link", "delete", "dev", "one-2-0")
    for _ in range(2):
        switch.must(driver, "clean", two, "node")
    assert not link(switch, "onebr.1")
    assert "master" not in link(switch, "phys0")


def test_a_bridge_that_was_there_stays(switch: Switch) -> None:
    switch.space.must("ip", "link", "add", "name", "onebr.1", "type", "bridge")
    text = document("bridge")
    switch.must("bridge", "pre", text)
    switch.must("bridge", "clean", text, "node")
    assert link(switch, "onebr.1")


@pytest.mark.parametrize("is_in_file", [True, False])
def test_an_empty_bridge_can_be_kept(switch: Switch, is_in_file: bool) -> None:
    more = {} if is_in_file else {"CONF": "keep_empty_bridge=true"}
    if is_in_file:
        file = switch.remotes / "etc/vnm/OpenNebulaNetwork.conf"
        file.write_text(file.read_text().replace(":keep_empty_bridge: false", ":keep_empty_bridge: true"))
    text = document("bridge", **more)
    switch.must("bridge", "pre", text)
    switch.must("bridge", "clean", text, "node")
    assert link(switch, "onebr.1")


def test_options_of_bridges(switch: Switch) -> None:
    """Those of the file and of the network, in the words of ip and of brctl; __delete__ takes one out."""
    file = switch.remotes / "etc/vnm/OpenNebulaNetwork.conf"
    file.write_text(":ip_bridge_conf:\n  :stp_state: on\n  :max_age: 1000\n  :ageing_time: 20000\n")
    text = document("bridge", BRIDGE_CONF="sethello=500, max_age=__delete__,ageing_time=10000")
    switch.must("bridge", "pre", text)
    found = link(switch, "onebr.1")["linkinfo"]["info_data"]  # type: ignore[index]
    wanted = {"stp_state": 1, "hello_time": 500, "max_age": 2000, "ageing_time": 10000}
    assert {name: found[name] for name in wanted} == wanted


def test_only_the_interface_under_way_is_connected(switch: Switch) -> None:
    nics = [
        {"NIC_ID": str(number), "VN_MAD": "bridge", "BRIDGE": f"onebr.{number}", "MAC": mac, "ATTACH": mark}
        for number, mac, mark in ((0, FIRST, "NO"), (1, SECOND, "YES"))
    ]
    switch.must("bridge", "pre", vm_document(1, nics))
    assert not link(switch, "onebr.0")
    assert link(switch, "onebr.1")
    switch.space.must("ip", "link", "add", "name", "onebr.0", "group", "9869", "type", "bridge")
    switch.must("bridge", "clean", vm_document(1, nics), "node")
    assert link(switch, "onebr.0")
    assert not link(switch, "onebr.1")


def test_refusals_of_bridges(switch: Switch) -> None:
    uplink(switch, "phys0")
    switch.space.must("ip", "link", "add", "name", "br-admin", "type", "bridge")
    switch.space.must("ip", "link", "set", "dev", "phys0", "master", "br-admin")
    assert "phys0 is in bridge br-admin, expected in onebr.1" in refused(
        switch, "bridge", document("bridge", PHYDEV="phys0")
    )
    assert "no interface phys9 (PHYDEV)" in refused(switch, "bridge", document("bridge", PHYDEV="phys9"))
    said = refused(switch, "bridge", document("bridge", BRIDGE="phys0"))
    assert "phys0 is an interface of type veth on this node, expected a bridge" in said
    assert "has no BRIDGE" in refused(switch, "bridge", document("bridge", BRIDGE=""))
    assert "BRIDGE is 'x;reboot'" in refused(switch, "bridge", document("bridge", BRIDGE="x;reboot"))
    said = refused(switch, "bridge", document("bridge", BRIDGE_CONF="stp_state=1;reboot"))
    assert "BRIDGE_CONF has 'stp_state=1;reboot'" in said
    said = refused(switch, "bridge", document("bridge", PHYDEV="phys0.far", BRIDGE_CONF="nonsense=1"))
    assert "nic 0 of vm 1: /usr/sbin/ip failed:" in said


def vxlan(**more: str) -> str:
    return document("vxlan", PHYDEV="phys0", VLAN_ID="77", **more)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, {"id": 77, "group": "239.0.0.77", "ttl": 16, "link": "phys0", "learning": True}),
        ({"VXLAN_MC": "239.1.0.0"}, {"group": "239.1.0.77"}),
        ({"CONF": "vxlan_mc=239.2.0.0,vxlan_ttl=3"}, {"group": "239.2.0.77", "ttl": 3}),
        ({"IP_LINK_CONF": "nolearning=,tos=3,dstport=4789"}, {"learning": False, "port": 4789}),
        ({"VXLAN_MODE": "evpn"}, {"id": 77, "link": "phys0"}),
        ({"VXLAN_MODE": "evpn", "VXLAN_TEP": "local_ip"}, {"id": 77, "local": "192.0.2.1"}),
    ],
)
def test_vxlan_interfaces(switch: Switch, more: dict[str, str], wanted: dict[str, object]) -> None:
    uplink(switch, "phys0")
    switch.space.must("ip", "address", "add", "192.0.2.1/24", "dev", "phys0")
    switch.space.must("ip", "link", "set", "dev", "phys0", "mtu", "9000", "up")
    text = vxlan(MTU="2000", **more)
    for _ in range(2):
        switch.must("vxlan", "pre", text)
    made = link(switch, "phys0.77")
    found = made["linkinfo"]["info_data"]  # type: ignore[index]
    assert {name: found.get(name) for name in wanted} == wanted
    assert ("group" in found) == (more.get("VXLAN_MODE") != "evpn")
    assert (made["mtu"], made["master"]) == (2000, "onebr.1")
    for _ in range(2):
        switch.must("vxlan", "clean", text, "node")
    assert not link(switch, "phys0.77")
    assert not link(switch, "onebr.1")


def test_vxlan_carries_frames_between_nodes(switch: Switch, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = Switch(tmp_path / "second")
    try:
        peer = ("peer", "name", "phys0", "netns", second.space.path)
        switch.space.must("ip", "link", "add", "name", "phys0", "type", "veth", *peer)
        for node, address in ((switch, "192.0.2.1/24"), (second, "192.0.2.2/24")):
            node.space.must("ip", "address", "add", address, "dev", "phys0")
            node.space.must("ip", "link", "set", "dev", "phys0", "up")
        ends = []
        for node, vm_id, mac in ((switch, 1, FIRST), (second, 2, SECOND)):
            text = document("vxlan", vm_id, mac, PHYDEV="phys0", VLAN_ID="77")
            node.must("vxlan", "pre", text)
            ends.append(node.plug(f"one-{vm_id}-0", mac, "onebr.1"))
            node.must("vxlan", "post", text, f"one-{vm_id}", "node")
        assert passes(ends[0], ends[1], frames.arp(FIRST, "10.0.0.1", "10.0.0.2"))
        question = frames.udp("10.0.0.2", "10.0.0.1", 9, 9)
        assert passes(
            ends[1], ends[0], frames.packet(SECOND, FIRST, "10.0.0.2", "10.0.0.1", frames.UDP, question)
        )
    finally:
        second.close()


def test_refusals_of_vlans(switch: Switch) -> None:
    uplink(switch, "phys0")
    assert "VLAN_ID is '', driver vxlan expects 1 to 16777215" in refused(
        switch, "vxlan", document("vxlan", PHYDEV="phys0")
    )
    assert "VLAN_ID is '4095', driver 802.1Q expects 1 to 4094" in refused(
        switch, "802.1Q", document("802.1Q", PHYDEV="phys0", VLAN_ID="4095")
    )
    assert "needs PHYDEV" in refused(switch, "802.1Q", document("802.1Q", VLAN_ID="5"))
    assert "MTU is '12'" in refused(switch, "vxlan", vxlan(MTU="12"))
    assert "vxlan_mode is 'other', expected multicast or evpn" in refused(
        switch, "vxlan", vxlan(VXLAN_MODE="other")
    )
    assert "vxlan_mc is '10.0.0.0'" in refused(switch, "vxlan", vxlan(VXLAN_MC="10.0.0.0"))
    said = refused(switch, "vxlan", vxlan(VXLAN_MODE="evpn", VXLAN_TEP="local_ip"))
    assert "phys0 has no address" in said
    switch.must("vxlan", "pre", vxlan())
    other = document("vxlan", 2, PHYDEV="phys0", VLAN_ID="78", CONF="validate_vlan_id=true")
    assert "phys0.77 in bridge onebr.1 has VLAN id 77, expected 78" in refused(switch, "vxlan", other)
    other = document("vxlan", 2, PHYDEV="phys0", VLAN_ID="77", BRIDGE="onebr.2")
    assert "phys0.77 is in bridge onebr.1, expected in onebr.2" in refused(switch, "vxlan", other)
    switch.space.must("ip", "link", "add", "name", "phys0.5", "type", "bridge")
    said = refused(switch, "802.1Q", document("802.1Q", 3, PHYDEV="phys0", VLAN_ID="5", BRIDGE="onebr.3"))
    assert "phys0.5 is of type bridge, expected type vlan with id 5" in said


def test_802_1q(switch: Switch) -> None:
    """A VLAN interface where the kernel can make one; else the refusal says so, and no bridge is left."""
    uplink(switch, "phys0")
    text = document("802.1Q", PHYDEV="phys0", VLAN_ID="5", MTU="1400")
    probe = switch.space.run("ip", "link", "add", "link", "phys0", "name", "probe", "type", "vlan", "id", "9")
    if probe.returncode:
        assert "this node's kernel cannot make interfaces of type vlan" in refused(switch, "802.1Q", text)
        return
    switch.must("802.1Q", "pre", text)
    made = link(switch, "phys0.5")
    assert (made["mtu"], made["master"], made["linkinfo"]["info_data"]["id"]) == (1400, "onebr.1", 5)  # type: ignore[index]
    switch.must("802.1Q", "clean", text, "node")
    assert not link(switch, "phys0.5")
