"""The packet filter of one interface: chains, sets and where they are entered.

Chains have OpenNebula's names: `one-<vm>-<nic>-i` to the machine, `-o` from it, of iptables, ip6tables and
ebtables. Chains of iptables are entered from chain `opennebula`, where FORWARD sends what bridges pass on. A
packet that a chain returns goes on to the other machine's chain. Those of ebtables see every frame, ARP too.
Source: drivers of release 6.0.0.3 (names, order, what passes before the rules of security groups).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import driver
import vnm_rules
from vnm_document import Attributes, Nic
from vnm_rules import IN, OUT, Grant

GLOBAL = "opennebula"
LAYER2 = 2
_BRIDGED = ("-m", "physdev", "--physdev-is-bridged")
_WORD = re.compile(r"[A-Za-z0-9_.:,/!-]+\Z", re.ASCII)

# Neighbour discovery: what reaches a machine, and what it may say, whatever its groups.
_TOLD, _SAID = (134, 135, 136, 137), (133, 135, 136)
_ANY_6 = "::/128"
# Frames in which a packet passes iptables unseen, and yet arrives: tagged ones (guests' kernels take the tag
# of VLAN 0 for none), PPPoE, and those of 802.3, with a length instead of a type.
_WRAPPED = ("0x8100", "0x88a8", "0x8864", "LENGTH")

Words = tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """An interface with what belongs to its filter.

    tap: its name on the node; empty while that is unknown. is_filtered: its own network has security groups.
    aliases: its further addresses; filtered_aliases: those whose networks have security groups; leaving:
    those that may have left something.
    """

    nic: Nic
    tap: str
    is_filtered: bool = True
    aliases: tuple[Nic, ...] = ()
    filtered_aliases: tuple[Nic, ...] = ()
    leaving: tuple[Nic, ...] = ()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the names of its chains and sets begin with, and of those of all its aliases."""
        return tuple(prefix(nic) for nic in (self.nic, *self.aliases, *self.leaving))

    @property
    def needs_filter(self) -> bool:
        """Whether anything of it belongs to a network with security groups."""
        return self.is_filtered or bool(self.filtered_aliases)


@dataclass
class Filter:
    """Chains by table (2: ebtables, 4, 6), entries (the chain before, then the rule), and sets."""

    chains: dict[int, dict[str, list[Words]]] = field(default_factory=lambda: {2: {}, 4: {}, 6: {}})
    entries: dict[int, list[Words]] = field(default_factory=lambda: {2: [], 4: [], 6: []})
    sets: dict[str, tuple[Words, list[str]]] = field(default_factory=dict)


def all_prefix(vm_id: str) -> str:
    """What the names of all chains and sets of a machine begin with."""
    return f"one-{vm_id}-"


def prefix(nic: Nic) -> str:
    """What the names of an interface's chains and sets begin with."""
    return f"{all_prefix(nic.vm_id)}{nic.nic_id}-"


def chain(nic: Nic, direction: str) -> str:
    """The name of a chain of an interface."""
    return prefix(nic) + direction


def closed(card: Card) -> Filter:
    """Frames of this interface are dropped: by its name, or while that is unknown, by its address."""
    made = Filter()
    for direction in (IN, OUT):
        made.chains[LAYER2][chain(card.nic, direction)] = [("-j", "DROP")]
    made.entries[LAYER2] = entries(card)[LAYER2]
    return made


def entries(card: Card) -> dict[int, list[Words]]:
    """The rules that send a card's packets to its chains, by table; only frames while its name is unknown."""
    from_it, to_it = chain(card.nic, OUT), chain(card.nic, IN)
    if not card.tap:
        guards: list[Words] = [
            ("PREROUTING", "-s", card.nic.mac, "-j", from_it),
            ("POSTROUTING", "-d", card.nic.mac, "-j", to_it),
        ]
        return {LAYER2: guards, 4: [], 6: []}
    bridged: list[Words] = [
        (GLOBAL, *_BRIDGED, "--physdev-in", card.tap, "-j", from_it),
        (GLOBAL, *_BRIDGED, "--physdev-out", card.tap, "-j", to_it),
    ]
    frames: list[Words] = [
        ("PREROUTING", "-i", card.tap, "-j", from_it),
        ("POSTROUTING", "-o", card.tap, "-j", to_it),
    ]
    return {LAYER2: frames, 4: bridged, 6: bridged}


def opened(card: Card, rules: Sequence[Attributes], maxelem: int, mark: str) -> Filter:
    """The filter of an interface whose name is known.

    rules: of all security groups of the VM. maxelem: how many entries a set can have. mark: the end of the
    sets' names, other than that of sets in use. Raises DriverError for rules and addresses that are none.
    """
    made = Filter(entries=entries(card))
    # An alias of no network has its address of whoever made the machine: it is nobody's lease.
    own = (card.nic, *(alias for alias in card.aliases if alias.given.get("NETWORK_ID")))
    allowed = {4: _addresses(own, 4), 6: _addresses(own, 6)}
    sets = _Sets(made, maxelem, mark)
    for direction in (OUT, IN):
        for family in (4, 6):
            lines = _guards(card, family, direction, allowed[family], sets)
            for alias in card.filtered_aliases:
                option = "-s" if direction == OUT else "-d"
                goto = chain(alias, direction)
                lines += [(option, each, "-g", goto) for each in _addresses((alias,), family)]
                made.chains[family][goto] = _verdicts(alias, rules, family, direction, sets)
            lines += _verdicts(card.nic, rules, family, direction, sets) if card.is_filtered else [_passes()]
            made.chains[family][chain(card.nic, direction)] = lines
        is_open = all(_allows_everything(each, rules, direction) for each in _filtered(card))
        made.chains[LAYER2][chain(card.nic, direction)] = _frames(card, direction, allowed[4], is_open)
    return made


def checked(words: Iterable[str]) -> str:
    """Words as one line of a rule. Raises DriverError for one that could be read as more than a word."""
    line = list(words)
    for word in line:
        if not _WORD.match(word):
            raise driver.DriverError(f"a filter rule would contain {word[:60]!r}, which is not one word")
    return " ".join(line)


class _Sets:
    """Sets of one filter, numbered in the order in which they are needed."""

    def __init__(self, made: Filter, maxelem: int, mark: str) -> None:
        self._made, self._maxelem, self._mark = made, maxelem, mark

    def of(self, nic: Nic, family: int, kind: str, members: Iterable[str]) -> str:
        """The name of a new set with these members; kind: `net` or `ip`."""
        name = f"{prefix(nic)}{family}{kind[0]}{len(self._made.sets)}{self._mark}"
        inet = "inet" if family == 4 else "inet6"
        self._made.sets[name] = (
            (f"hash:{kind}", "family", inet, "maxelem", str(self._maxelem)),
            list(members),
        )
        return name


def _passes() -> Words:
    return ("-j", "RETURN")


def _addresses(nics: Iterable[Nic], family: int) -> list[str]:
    found = [each for nic in nics for each in nic.addresses if ipaddress.ip_address(each).version == family]
    return list(dict.fromkeys(found))


def _guards(card: Card, family: int, direction: str, allowed: list[str], sets: _Sets) -> list[Words]:
    """What comes before the rules of security groups: false addresses, neighbour discovery, DHCP."""
    if not card.is_filtered:
        return []
    if direction == IN:
        return [_neighbour(each) for each in _TOLD] if family == 6 else []
    nic, lines = card.nic, list[Words]()
    if nic.is_set("FILTER_MAC_SPOOFING"):
        lines.append(("-m", "mac", "!", "--mac-source", nic.mac, "-j", "DROP"))
    if not nic.is_set("FILTER_IP_SPOOFING"):
        return lines + ([_neighbour(each) for each in _SAID] if family == 6 else [])
    if family == 4 and allowed:
        lines.append(
            ("-s", "0.0.0.0/32", "-d", "255.255.255.255/32", "-p", "udp", "-m", "udp")
            + ("--sport", "68", "--dport", "67", "-j", "RETURN")
        )
    if family == 6:  # before it has an address, a machine asks whether somebody else has it
        lines += [("-s", _ANY_6, *_neighbour(each)) for each in (133, 135)]
    if not allowed:
        return [*lines, ("-j", "DROP")]
    named = sets.of(nic, family, "ip", allowed)
    lines.append(("-m", "set", "!", "--match-set", named, "src", "-j", "DROP"))
    return lines + ([_neighbour(each) for each in _SAID] if family == 6 else [])


def _neighbour(number: int) -> Words:
    return ("-p", "icmpv6", "-m", "icmp6", "--icmpv6-type", str(number), "-j", "RETURN")


def _filtered(card: Card) -> list[Nic]:
    return [*([card.nic] if card.is_filtered else []), *card.filtered_aliases]


def _grants(nic: Nic, rules: Sequence[Attributes]) -> Sequence[Grant]:
    """What the groups of an interface or alias let through. Raises DriverError naming a bad rule."""
    ids = nic.group_ids
    if ids is None:
        return vnm_rules.EVERYTHING
    return vnm_rules.grants(rule for rule in rules if rule.get("SECURITY_GROUP_ID") in ids)


def _allows_everything(nic: Nic, rules: Sequence[Attributes], direction: str) -> bool:
    granted = _grants(nic, rules)
    return all(Grant(family, direction, ()) in granted for family in (4, 6))


def _verdicts(nic: Nic, rules: Sequence[Attributes], family: int, direction: str, sets: _Sets) -> list[Words]:
    """Connections that are known, what the groups of an interface or alias let through, nothing else."""
    lines: list[Words] = [("-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "RETURN")]
    end = "src" if direction == IN else "dst"
    for grant in _grants(nic, rules):
        if (grant.family, grant.direction) != (family, direction):
            continue
        target: Words = ()
        if grant.networks is not None:
            target = ("-m", "set", "--match-set", sets.of(nic, family, "net", grant.networks), end)
        lines.append((*grant.words, *target, "-j", "RETURN"))
    return [*lines, ("-j", "DROP")]


def _frames(card: Card, direction: str, allowed: list[str], is_open: bool) -> list[Words]:
    """Frames that iptables does not see: packets in a wrapping, where groups forbid any (not is_open), and
    what carries a false sender, above all in ARP.
    """
    nic, lines = card.nic, list[Words]()
    if not is_open:
        lines += [("-p", kind, "-j", "DROP") for kind in _WRAPPED]
    if direction == OUT and card.is_filtered:
        if nic.is_set("FILTER_MAC_SPOOFING"):
            lines.append(("-s", "!", nic.mac, "-j", "DROP"))
            lines.append(("-p", "ARP", "--arp-mac-src", "!", nic.mac, "-j", "DROP"))
        if nic.is_set("FILTER_IP_SPOOFING"):
            lines += [("-p", kind, "-j", "DROP") for kind in _WRAPPED] if is_open else []
            senders = ["0.0.0.0", *allowed] if allowed else []
            lines += [("-p", "ARP", "--arp-ip-src", each, "-j", "RETURN") for each in senders]
            lines.append(("-p", "ARP", "-j", "DROP"))
    return [*lines, _passes()]
