"""A guest with security groups and a machine without, on one bridge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.support.node import frames
from tests.support.node.switch import End, Switch, is_dropped, vm_document

BRIDGE = "onebr.0"
VM_ID = 7
GUEST, OTHER, WATCHER = "02:00:0a:00:00:07", "02:00:0a:00:00:63", "02:00:0a:00:00:64"
GUEST_4, OTHER_4, FAR_4 = "10.0.0.7", "10.0.0.99", "10.9.9.9"
GUEST_6, OTHER_6 = "2001:db8::7", "2001:db8::99"
LINK_6 = "fe80::400:aff:fe00:7"

Rule = Mapping[str, str]


def rule(direction: str, protocol: str, **more: str) -> Rule:
    """A rule of group 5, which the guest's interface has."""
    return {"RULE_TYPE": direction, "PROTOCOL": protocol, "SECURITY_GROUP_ID": "5", **more}


def nic(**more: str) -> dict[str, str]:
    """The guest's interface; an attribute given empty is left out."""
    given = {
        "NIC_ID": "0", "BRIDGE": BRIDGE, "VN_MAD": "fw", "MAC": GUEST, "IP": GUEST_4, "IP6_GLOBAL": GUEST_6,
        "IP6_LINK": LINK_6, "SECURITY_GROUPS": "5", "TARGET": f"one-{VM_ID}-0", **more,
    }  # fmt: skip
    return {name: text for name, text in given.items() if text}


def alias(**more: str) -> dict[str, str]:
    """A further address of it, with group 6."""
    return {
        "NIC_ID": "1", "PARENT_ID": "0", "NETWORK_ID": "1", "BRIDGE": BRIDGE, "VN_MAD": "fw",
        "MAC": "02:00:0a:00:00:08",
        "IP": "10.0.0.8", "SECURITY_GROUPS": "6", "TARGET": f"one-{VM_ID}-1", **more,
    }  # fmt: skip


class Wire:
    """The two of them, and a third that sees whether the bridge works; only the guest is not there yet."""

    guest: End

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        switch.space.must("ip", "link", "add", "name", BRIDGE, "up", "type", "bridge")
        self.other = switch.plug("other", OTHER, BRIDGE)
        self.watcher = switch.plug("watcher", WATCHER, BRIDGE)

    def plug(self) -> End:
        """Connect the guest, as its hypervisor does when it starts."""
        self.guest = self.switch.plug(f"one-{VM_ID}-0", GUEST, BRIDGE)
        return self.guest

    def start(self, *rules: Rule, **more: str) -> End:
        """Start the guest with these rules of its groups; more: attributes of its interface."""
        return self.start_with((), *rules, **more)

    def start_with(self, aliases: Sequence[Mapping[str, str]], *rules: Rule, **more: str) -> End:
        """The same with further addresses."""
        document = vm_document(VM_ID, [nic(**more)], aliases=aliases, rules=rules)
        self.switch.must("fw", "pre", document)
        guest = self.plug()
        self.switch.must("fw", "post", document, f"one-{VM_ID}", "node")
        return guest

    def reaches_guest(self, protocol: int, inside: bytes, *, src: str = OTHER_4, dst: str = GUEST_4) -> bool:
        """Whether a packet to the guest arrives; where it does not, a later frame has."""
        frame = frames.packet(OTHER, GUEST, src, dst, protocol, inside)
        return not is_dropped(self.other, self.guest, frame)

    def leaves_guest(self, protocol: int, inside: bytes, *, src: str = GUEST_4, dst: str = OTHER_4) -> bool:
        """Whether a packet from the guest arrives at the other machine."""
        frame = frames.packet(GUEST, OTHER, src, dst, protocol, inside)
        return not is_dropped(self.guest, self.other, frame)
