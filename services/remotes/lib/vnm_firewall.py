"""Filters of interfaces in the kernel: put in force, exchanged while machines run, removed.

An interface is closed before its filter is there completely, and stays closed when that cannot be made: it
passes nothing rather than anything. A filter in force is exchanged in one transaction for each family.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import driver
import vnm_chains
import vnm_node
import vnm_tables
from vnm_chains import LAYER2, Card, Filter
from vnm_document import Attributes
from vnm_tables import Table

_FAMILIES = (4, 6)
_SETTINGS = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables")
# Ends of sets' names: two may be in use when a change failed between the families, one is for the next.
_MARKS = ("a", "b", "c")
# The kernel lets go of sets some time after the rules that used them.
_TRIES, _PAUSE_S = 50, 0.1


def require_bridge_filter(folder: str = "/proc/sys/net/bridge") -> None:
    """Refuse a node whose kernel does not show bridged packets to the filters. Raises DriverError."""
    for name in _SETTINGS:
        try:
            with open(f"{folder}/{name}", encoding="ascii") as file:
                value = file.read().strip()
        except OSError:
            value = "missing, module br_netfilter is not loaded"
        if value != "1":
            raise driver.DriverError(
                f"this node cannot filter the packets of bridges: net.bridge.{name} is {value}, expected 1"
            )


def close(cards: Sequence[Card]) -> None:
    """Let no frame from or to these interfaces pass. Raises DriverError."""
    for card in cards:
        table = _table(LAYER2)
        _restore(LAYER2, vnm_tables.put(table, card, vnm_chains.closed(card)))


def protect(card: Card, rules: Sequence[Attributes], maxelem: int) -> None:
    """Put the filter of an interface in force, or exchange it for the present one.

    maxelem: how many entries a set can have. Raises DriverError: then a filter that was in force still is, as
    it was, and an interface without one is closed. It is also closed when the kernel took half of a change.
    """
    entries = vnm_chains.entries(card)
    tables = {family: _table(family) for family in (LAYER2, *_FAMILIES)}
    if not all(vnm_tables.is_entered(table, entries[family]) for family, table in tables.items()):
        close([card])
    known = _sets(card.prefixes)
    used = known & (vnm_tables.set_names(tables[4]) | vnm_tables.set_names(tables[6]))
    mark = next(each for each in _MARKS if not any(name.endswith(each) for name in used))
    made = vnm_chains.opened(card, rules, maxelem, mark)
    _destroy(known - used)
    _restore_sets(made)
    _restore(4, vnm_tables.put(tables[4], card, made))
    try:
        _restore(6, vnm_tables.put(tables[6], card, made))
        _restore(LAYER2, vnm_tables.put(_table(LAYER2), card, made))
    except driver.DriverError:
        close([card])
        raise
    _destroy(used)


def remove(prefixes: tuple[str, ...]) -> None:
    """Remove every chain and set whose name begins so. Raises DriverError."""
    for family in (*_FAMILIES, LAYER2):
        change = vnm_tables.remove(_table(family), prefixes)
        if change:
            _restore(family, change)
    _destroy(_sets(prefixes), is_required=True)


def _table(family: int) -> Table:
    if family == LAYER2:
        return vnm_tables.parse(family, vnm_node.privileged([vnm_node.EBTABLES_SAVE, "-t", "nat"]))
    return vnm_tables.parse(family, vnm_node.privileged([vnm_node.IPTABLES_SAVE[family], "-t", "filter"]))


def _restore(family: int, change: str) -> None:
    if family == LAYER2:
        vnm_node.privileged([vnm_node.EBTABLES_RESTORE, "--noflush"], stdin=change)
    else:
        words = [vnm_node.IPTABLES_RESTORE[family], "--noflush", "--wait", "30"]
        vnm_node.privileged(words, stdin=change)


def _sets(prefixes: tuple[str, ...]) -> set[str]:
    names = vnm_node.privileged([vnm_node.IPSET, "list", "-name"]).split()
    return {name for name in names if name.startswith(prefixes)}


def _restore_sets(made: Filter) -> None:
    lines = []
    for name, (kind, members) in made.sets.items():
        lines.append(f"create {vnm_chains.checked([name, *kind])}")
        lines += [f"add {vnm_chains.checked([name, each])}" for each in members]
    _ipset(lines)


def _destroy(names: Iterable[str], *, is_required: bool = False) -> None:
    """Remove sets. Those that the kernel still holds are left to the next time, unless is_required."""
    for name in sorted(names):
        for tries_left in reversed(range(_TRIES if is_required else 3)):
            try:
                _ipset([f"destroy {name}"])
                break
            except driver.DriverError:
                if tries_left == 0 and is_required:
                    raise
                time.sleep(_PAUSE_S)


def _ipset(lines: list[str]) -> None:
    if lines:
        vnm_node.restore_sets("\n".join([*lines, ""]))
