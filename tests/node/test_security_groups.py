"""Security groups and false addresses: frames that must pass, and frames that must not."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import frames
from tests.support.node.frames import ACK, ESP, ICMP, ICMPV6, SYN, SYN_ACK, TCP, UDP
from tests.support.node.switch import End, Switch, is_dropped, passes, vm_document
from tests.support.node.wire import (
    FAR_4,
    GUEST,
    GUEST_4,
    GUEST_6,
    LINK_6,
    OTHER,
    OTHER_4,
    OTHER_6,
    VM_ID,
    Wire,
    alias,
    nic,
    rule,
)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    switch = Switch(tmp_path)
    try:
        yield Wire(switch)
    finally:
        switch.close()


def test_ports_of_a_rule_pass_and_no_others(wire: Wire) -> None:
    wire.start(
        rule("inbound", "TCP", RANGE="22,80:90"),
        rule("INBOUND", "UDP", RANGE=",".join(str(port) for port in range(1000, 1040, 2)) + ",5000:5001"),
        rule("OUTBOUND", "TCP", RANGE="443"),
    )
    for src, dst in ((OTHER_4, GUEST_4), (OTHER_6, GUEST_6)):
        passing = {
            port: wire.reaches_guest(TCP, frames.tcp(src, dst, 4000 + port, port, SYN), src=src, dst=dst)
            for port in (22, 23, 79, 80, 85, 90, 91)
        }
        assert passing == {22: True, 23: False, 79: False, 80: True, 85: True, 90: True, 91: False}
        passing = {
            port: wire.reaches_guest(UDP, frames.udp(src, dst, 4000, port), src=src, dst=dst)
            for port in (1000, 1001, 1038, 5001, 22)
        }
        assert passing == {1000: True, 1001: False, 1038: True, 5001: True, 22: False}
        passing = {
            port: wire.leaves_guest(TCP, frames.tcp(dst, src, 4000 + port, port, SYN), src=dst, dst=src)
            for port in (443, 22)
        }
        assert passing == {443: True, 22: False}


def test_a_packet_in_a_wrapping_is_no_way_past_the_rules(wire: Wire) -> None:
    """A kernel takes the tag of VLAN 0 for none: real sockets get what a rule allows, and only untagged."""
    guest = wire.start(rule("INBOUND", "UDP", RANGE="53"), rule("OUTBOUND", "UDP", RANGE="53"))
    for end, four, six in ((guest, GUEST_4, GUEST_6), (wire.other, OTHER_4, OTHER_6)):
        end.space.must("ip", "address", "add", f"{four}/24", "dev", "eth0")
        end.space.must("ip", "address", "add", f"{six}/64", "dev", "eth0", "nodad")
    for sender, receiver, src, dst in (
        (wire.other, guest, OTHER_4, GUEST_4),
        (wire.other, guest, OTHER_6, GUEST_6),
        (guest, wire.other, GUEST_4, OTHER_4),
    ):
        allowed, forbidden = (
            receiver.space.inside(lambda at=(dst, port): _listening(*at))  # type: ignore[misc]
            for port in (53, 9)
        )
        forbidden.setblocking(False)
        for kinds in ((0x8100,), (0x88A8,), (0x8100, 0x8100), (0x88A8, 0x8100)):
            for port in (53, 9):
                inside = frames.udp(src, dst, 7, port, b"hidden")
                frame = frames.packet(sender.mac, receiver.mac, src, dst, UDP, inside)
                for kind in kinds:
                    frame = frames.tagged(frame, 0, kind)
                sender.send(frame)
        plain = frames.udp(src, dst, 7, 53, b"plain")
        sender.send(frames.packet(sender.mac, receiver.mac, src, dst, UDP, plain))
        # It comes last: whatever was let through before has arrived, too.
        assert allowed.recv(64) == b"plain"
        with pytest.raises(BlockingIOError):
            forbidden.recv(64)
        allowed.close()
        forbidden.close()


def test_tagged_frames_pass_where_groups_allow_everything(wire: Wire) -> None:
    """Guests that speak in VLANs of their own, with the default group."""
    guest = wire.start(rule("INBOUND", "ALL"), rule("OUTBOUND", "UDP", RANGE="53"))
    guest.space.must("ip", "address", "add", f"{GUEST_4}/24", "dev", "eth0")
    with guest.space.inside(lambda: _listening(GUEST_4, 9)) as inside:
        packet = frames.packet(OTHER, GUEST, OTHER_4, GUEST_4, UDP, frames.udp(OTHER_4, GUEST_4, 7, 9, b"in"))
        wire.other.send(frames.tagged(packet, 0))
        assert inside.recv(64) == b"in"


def _listening(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    made.settimeout(20)
    return made


def test_types_and_protocols(wire: Wire) -> None:
    wire.start(
        rule("INBOUND", "ICMP", ICMP_TYPE="8"),
        rule("INBOUND", "ICMPV6", ICMPV6_TYPE="128"),
        rule("OUTBOUND", "ICMP"),
        rule("INBOUND", "IPSEC"),
    )
    assert wire.reaches_guest(ICMP, frames.icmp(8))
    assert not wire.reaches_guest(ICMP, frames.icmp(13, data=bytes(16)))
    assert wire.leaves_guest(ICMP, frames.icmp(13, data=bytes(16)))
    six = {"src": OTHER_6, "dst": GUEST_6}
    assert wire.reaches_guest(ICMPV6, frames.icmp6(OTHER_6, GUEST_6, 128), **six)
    assert not wire.reaches_guest(ICMPV6, frames.icmp6(OTHER_6, GUEST_6, 139, data=bytes(12)), **six)
    assert wire.reaches_guest(ESP, bytes(32))
    assert wire.reaches_guest(ESP, bytes(32), **six)
    assert not wire.reaches_guest(UDP, frames.udp(OTHER_4, GUEST_4, 1, 2))


def test_targets(wire: Wire) -> None:
    """Networks as SIZE addresses from one on, also with ports, also of a virtual network's two families."""
    wire.start(
        rule("INBOUND", "ALL", IP="10.0.0.90", SIZE="10"),
        rule("OUTBOUND", "UDP", RANGE="53", IP="10.0.1.0", SIZE="256", IP6_GLOBAL="2001:db8::90"),
        rule("OUTBOUND", "TCP", IP="0.0.0.0", SIZE="4294967296"),
        rule("INBOUND", "ICMP", ICMP_TYPE="8", IP="10.0.0.100", SIZE="1"),
    )
    arriving = {
        last: wire.reaches_guest(UDP, frames.udp(f"10.0.0.{last}", GUEST_4, 9, 9), src=f"10.0.0.{last}")
        for last in (89, 90, 99, 100)
    }
    assert arriving == {89: False, 90: True, 99: True, 100: False}
    assert wire.reaches_guest(ICMP, frames.icmp(8), src="10.0.0.100")
    assert not wire.reaches_guest(ICMP, frames.icmp(8), src="10.0.0.101")
    leaving = {
        (dst, port): wire.leaves_guest(UDP, frames.udp(GUEST_4, dst, 9, port), dst=dst)
        for dst, port in (("10.0.1.255", 53), ("10.0.1.255", 54), ("10.0.2.0", 53))
    }
    assert leaving == {("10.0.1.255", 53): True, ("10.0.1.255", 54): False, ("10.0.2.0", 53): False}
    assert wire.leaves_guest(TCP, frames.tcp(GUEST_4, "203.0.113.9", 9, 9, SYN), dst="203.0.113.9")
    dst = str(ipaddress.ip_address("2001:db8::90") + 255)
    assert wire.leaves_guest(UDP, frames.udp(GUEST_6, dst, 9, 53), src=GUEST_6, dst=dst)
    assert not wire.leaves_guest(UDP, frames.udp(GUEST_6, OTHER_6, 9, 54), src=GUEST_6, dst=OTHER_6)


def test_answers_pass_and_what_nobody_asked_for_does_not(wire: Wire) -> None:
    wire.start(rule("OUTBOUND", "ALL"))
    answer = frames.tcp(OTHER_4, GUEST_4, 80, 4000, SYN_ACK, ack=1001)
    assert not wire.reaches_guest(TCP, answer)
    assert wire.leaves_guest(TCP, frames.tcp(GUEST_4, OTHER_4, 4000, 80, SYN))
    assert wire.reaches_guest(TCP, answer)
    assert not wire.reaches_guest(TCP, frames.tcp(OTHER_4, GUEST_4, 80, 4001, SYN))
    # An error that tells of the guest's own packet is let in, one about another's is not.
    sent = frames.udp(GUEST_4, OTHER_4, 4000, 53, b"question")
    assert wire.leaves_guest(UDP, sent)
    mine = frames.packet(GUEST, OTHER, GUEST_4, OTHER_4, UDP, sent)[14:]
    foreign = frames.packet(GUEST, OTHER, GUEST_4, OTHER_4, UDP, frames.udp(GUEST_4, OTHER_4, 9, 9))[14:]
    assert wire.reaches_guest(ICMP, frames.icmp(3, 3, bytes(4) + mine))
    assert not wire.reaches_guest(ICMP, frames.icmp(3, 3, bytes(4) + foreign))


def test_neighbours_are_found_whatever_the_groups_say(wire: Wire) -> None:
    guest = wire.start(FILTER_MAC_SPOOFING="YES", FILTER_IP_SPOOFING="YES")
    assert passes(wire.other, guest, frames.arp(OTHER, OTHER_4, GUEST_4))
    assert passes(guest, wire.other, frames.arp(GUEST, GUEST_4, OTHER_4, is_reply=True))
    assert passes(guest, wire.other, frames.arp(GUEST, "0.0.0.0", GUEST_4))
    six = {"src": OTHER_6, "dst": GUEST_6}
    for kind in (134, 135, 136, 137):
        told = frames.icmp6(OTHER_6, GUEST_6, kind, data=bytes(36))
        assert wire.reaches_guest(ICMPV6, told, **six), kind
    for src in (LINK_6, GUEST_6):
        for kind in (133, 135, 136):
            said = frames.icmp6(src, "ff02::1", kind, data=bytes(20))
            assert wire.leaves_guest(ICMPV6, said, src=src, dst="ff02::1"), (src, kind)
    looking = frames.icmp6("::", "ff02::1", 135, data=bytes(20))
    assert wire.leaves_guest(ICMPV6, looking, src="::", dst="ff02::1")
    assert not wire.leaves_guest(
        ICMPV6, frames.icmp6(LINK_6, "ff02::1", 134, data=bytes(12)), src=LINK_6, dst="ff02::1"
    )
    asking = frames.udp("0.0.0.0", "255.255.255.255", 68, 67)
    assert wire.leaves_guest(UDP, asking, src="0.0.0.0", dst="255.255.255.255")
    assert not wire.leaves_guest(UDP, frames.udp(GUEST_4, OTHER_4, 68, 67))


def test_false_addresses_are_dropped(wire: Wire) -> None:
    guest = wire.start_with(
        [alias(SECURITY_GROUPS="5")], rule("OUTBOUND", "ALL"),
        FILTER_MAC_SPOOFING="YES", FILTER_IP_SPOOFING="YES",
    )  # fmt: skip
    mac = "02:00:0a:00:00:66"
    for src in (GUEST_4, "10.0.0.8", GUEST_6, LINK_6):
        dst = OTHER_4 if "." in src else OTHER_6
        assert wire.leaves_guest(UDP, frames.udp(src, dst, 9, 9), src=src, dst=dst), src
    for src in ("10.0.0.9", FAR_4, "2001:db8::8", "fe80::1"):
        dst = OTHER_4 if "." in src else OTHER_6
        assert not wire.leaves_guest(UDP, frames.udp(src, dst, 9, 9), src=src, dst=dst), src
        false = frames.packet(mac, OTHER, src, dst, UDP, frames.udp(src, dst, 9, 9))
        assert is_dropped(guest, wire.other, false), src
    assert is_dropped(
        guest,
        wire.other,
        frames.packet(mac, OTHER, GUEST_4, OTHER_4, UDP, frames.udp(GUEST_4, OTHER_4, 9, 9)),
    )
    assert is_dropped(guest, wire.other, frames.ethernet(mac, OTHER, frames.MARKER, bytes(50)))
    for own in (GUEST_4, "10.0.0.8"):
        assert passes(guest, wire.other, frames.arp(GUEST, own, OTHER_4, is_reply=True))
    assert is_dropped(guest, wire.other, frames.arp(GUEST, OTHER_4, GUEST_4, is_reply=True))
    assert is_dropped(guest, wire.other, frames.arp(GUEST, GUEST_4, OTHER_4, sender=mac, is_reply=True))
    assert is_dropped(guest, wire.other, frames.arp(mac, GUEST_4, OTHER_4, is_reply=True))
    # A tag would hide the packet from the rules about addresses.
    hidden = frames.packet(GUEST, OTHER, FAR_4, OTHER_4, UDP, frames.udp(FAR_4, OTHER_4, 9, 9))
    assert is_dropped(guest, wire.other, frames.tagged(hidden, 5))
    neighbour = frames.icmp6(OTHER_6, "ff02::1", 136, data=bytes(20))
    assert not wire.leaves_guest(ICMPV6, neighbour, src=OTHER_6, dst="ff02::1")


def test_an_alias_of_no_network_brings_no_address(wire: Wire) -> None:
    """Users make such aliases by hand, with any address."""
    wire.start_with(
        [alias(NETWORK_ID="", SECURITY_GROUPS="5")], rule("OUTBOUND", "ALL"), FILTER_IP_SPOOFING="YES"
    )
    assert not wire.leaves_guest(UDP, frames.udp("10.0.0.8", OTHER_4, 9, 9), src="10.0.0.8")
    assert wire.leaves_guest(UDP, frames.udp(GUEST_4, OTHER_4, 9, 9))
    assert is_dropped(wire.guest, wire.other, frames.arp(GUEST, "10.0.0.8", OTHER_4, is_reply=True))


def test_addresses_are_free_without_the_filters(wire: Wire) -> None:
    guest = wire.start(rule("OUTBOUND", "ALL"))
    assert wire.leaves_guest(UDP, frames.udp(FAR_4, OTHER_4, 9, 9), src=FAR_4)
    assert passes(guest, wire.other, frames.arp("02:00:0a:00:00:66", OTHER_4, GUEST_4, is_reply=True))


def test_an_address_without_any_is_none(wire: Wire) -> None:
    """With the filter on and no IPv6 address, nothing leaves by IPv6."""
    wire.start(rule("OUTBOUND", "ALL"), FILTER_IP_SPOOFING="YES", IP6_GLOBAL="", IP6_LINK="")
    assert not wire.leaves_guest(UDP, frames.udp(LINK_6, OTHER_6, 9, 9), src=LINK_6, dst=OTHER_6)
    assert wire.leaves_guest(UDP, frames.udp(GUEST_4, OTHER_4, 9, 9))


def test_aliases_have_groups_of_their_own(wire: Wire) -> None:
    ssh = {**rule("INBOUND", "TCP", RANGE="22")}
    web = {**rule("INBOUND", "TCP", RANGE="80"), "SECURITY_GROUP_ID": "6"}
    wire.start_with([alias()], ssh, web, rule("OUTBOUND", "ALL"), FILTER_IP_SPOOFING="YES")
    arriving = {
        (dst, port): wire.reaches_guest(TCP, frames.tcp(OTHER_4, dst, 4000, port, SYN), dst=dst)
        for dst in (GUEST_4, "10.0.0.8")
        for port in (22, 80)
    }
    assert arriving == {
        (GUEST_4, 22): True, (GUEST_4, 80): False, ("10.0.0.8", 22): False, ("10.0.0.8", 80): True,
    }  # fmt: skip
    assert wire.leaves_guest(UDP, frames.udp(GUEST_4, OTHER_4, 9, 9))
    assert not wire.leaves_guest(UDP, frames.udp("10.0.0.8", OTHER_4, 9, 9), src="10.0.0.8")


def test_an_alias_that_leaves_takes_its_address_along(wire: Wire) -> None:
    rules = (rule("OUTBOUND", "ALL"), {**rule("OUTBOUND", "ALL"), "SECURITY_GROUP_ID": "6"})
    filters = {"FILTER_IP_SPOOFING": "YES"}
    wire.start(*rules, **filters)
    packet = frames.udp("10.0.0.8", OTHER_4, 9, 9)
    assert not wire.leaves_guest(UDP, packet, src="10.0.0.8")
    marked = vm_document(VM_ID, [nic(**filters)], aliases=[alias(ATTACH="YES")], rules=rules)
    wire.switch.must("fw", "post", marked, f"one-{VM_ID}", "node")
    assert wire.leaves_guest(UDP, packet, src="10.0.0.8")
    wire.switch.must("fw", "clean", marked, "node")
    assert not wire.leaves_guest(UDP, frames.udp("10.0.0.8", OTHER_4, 9, 10), src="10.0.0.8")
    assert wire.leaves_guest(UDP, frames.udp(GUEST_4, OTHER_4, 9, 9))
    assert f"one-{VM_ID}-1" not in wire.switch.state()


def test_a_group_that_nobody_set_allows_everything(wire: Wire) -> None:
    wire.start(SECURITY_GROUPS="")
    assert wire.reaches_guest(UDP, frames.udp(OTHER_4, GUEST_4, 9, 9))
    assert wire.leaves_guest(UDP, frames.udp(GUEST_4, OTHER_4, 9, 9))


def test_connections_of_the_kernel(wire: Wire) -> None:
    """Real sockets on both sides: one port answers, another does not, the guest reaches everything."""
    guest = wire.start(rule("INBOUND", "TCP", RANGE="8080"), rule("OUTBOUND", "ALL"))
    for end, address in ((guest, GUEST_4), (wire.other, OTHER_4)):
        end.space.must("ip", "address", "add", f"{address}/24", "dev", "eth0")
    servers = [
        end.space.inside(lambda at=(address, port): socket.create_server(at))  # type: ignore[misc]
        for end, address, port in ((guest, GUEST_4, 8080), (guest, GUEST_4, 8081), (wire.other, OTHER_4, 25))
    ]

    def connect(end: End, address: str, port: int) -> None:
        end.space.inside(lambda: socket.create_connection((address, port), timeout=20).close())

    connect(wire.other, GUEST_4, 8080)
    connect(guest, OTHER_4, 25)
    assert not wire.reaches_guest(TCP, frames.tcp(OTHER_4, GUEST_4, 40000, 8081, SYN))
    assert not wire.reaches_guest(TCP, frames.tcp(OTHER_4, GUEST_4, 40000, 8081, ACK, ack=1))
    for server in servers:
        server.close()
