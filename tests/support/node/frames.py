"""Network frames, byte by byte, with the checksums that connection tracking looks at."""

from __future__ import annotations

import ipaddress
import struct

ARP, IPV4, IPV6, VLAN, MARKER = 0x0806, 0x0800, 0x86DD, 0x8100, 0x88B5
ICMP, TCP, UDP, ESP, ICMPV6 = 1, 6, 17, 50, 58
SYN, SYN_ACK, ACK = 0x02, 0x12, 0x10
BROADCAST = "ff:ff:ff:ff:ff:ff"


def ethernet(src: str, dst: str, kind: int, payload: bytes) -> bytes:
    """A frame between two MAC addresses."""
    return _mac(dst) + _mac(src) + struct.pack("!H", kind) + payload


def arp(src: str, sender_ip: str, target_ip: str, *, sender: str = "", is_reply: bool = False) -> bytes:
    """A question who has an address, or the answer, to everybody; sender: the MAC that it claims."""
    head = struct.pack("!HHBBH", 1, IPV4, 6, 4, 2 if is_reply else 1)
    claim = _mac(sender or src) + _ip(sender_ip)
    return ethernet(src, BROADCAST, ARP, head + claim + bytes(6) + _ip(target_ip))


def packet(src: str, dst: str, src_ip: str, dst_ip: str, protocol: int, payload: bytes) -> bytes:
    """An IPv4 or IPv6 packet in a frame."""
    if ipaddress.ip_address(src_ip).version == 4:
        size = 20 + len(payload)
        head = struct.pack("!BBHHHBBH", 0x45, 0, size, 1, 0, 64, protocol, 0) + _ip(src_ip) + _ip(dst_ip)
        head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
        return ethernet(src, dst, IPV4, head + payload)
    head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255) + _ip(src_ip) + _ip(dst_ip)
    return ethernet(src, dst, IPV6, head + payload)


def udp(src_ip: str, dst_ip: str, src_port: int, dst_port: int, data: bytes = b"") -> bytes:
    """The inside of an UDP packet."""
    body = struct.pack("!HHHH", src_port, dst_port, 8 + len(data), 0) + data
    return body[:6] + struct.pack("!H", _checksum(_pseudo(src_ip, dst_ip, UDP, body) + body)) + body[8:]


def tcp(src_ip: str, dst_ip: str, src_port: int, dst_port: int, flags: int, ack: int = 0) -> bytes:
    """The inside of a TCP packet without data; its own number is 1000."""
    body = struct.pack("!HHIIBBHHH", src_port, dst_port, 1000, ack, 5 << 4, flags, 64240, 0, 0)
    return body[:16] + struct.pack("!H", _checksum(_pseudo(src_ip, dst_ip, TCP, body) + body)) + body[18:]


def icmp(kind: int, code: int = 0, data: bytes = bytes(4)) -> bytes:
    """The inside of an ICMP packet; data: what follows the checksum."""
    body = struct.pack("!BBH", kind, code, 0) + data
    return body[:2] + struct.pack("!H", _checksum(body)) + body[4:]


def icmp6(src_ip: str, dst_ip: str, kind: int, code: int = 0, data: bytes = bytes(4)) -> bytes:
    """The inside of an ICMPv6 packet."""
    body = struct.pack("!BBH", kind, code, 0) + data
    return body[:2] + struct.pack("!H", _checksum(_pseudo(src_ip, dst_ip, ICMPV6, body) + body)) + body[4:]


def tagged(frame: bytes, vlan_id: int, kind: int = VLAN) -> bytes:
    """A frame with a VLAN's tag (kind 0x88A8: of a provider's)."""
    return frame[:12] + struct.pack("!HH", kind, vlan_id) + frame[12:]


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def _pseudo(src_ip: str, dst_ip: str, protocol: int, body: bytes) -> bytes:
    if ipaddress.ip_address(src_ip).version == 4:
        return _ip(src_ip) + _ip(dst_ip) + struct.pack("!BBH", 0, protocol, len(body))
    return _ip(src_ip) + _ip(dst_ip) + struct.pack("!II", len(body), protocol)


def _checksum(data: bytes) -> int:
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
