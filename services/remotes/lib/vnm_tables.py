"""Filter tables as iptables-save and ebtables-save print them, and changes in the form that *-restore takes.

A change of one table is one transaction of the kernel: packets see all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import vnm_chains
from vnm_chains import GLOBAL, LAYER2, Card, Filter, Words

_NAMES = {LAYER2: "nat", 4: "filter", 6: "filter"}


@dataclass
class Table:
    """A table's chains with their rules: lists of words, without `-A CHAIN`."""

    family: int
    chains: dict[str, list[list[str]]] = field(default_factory=dict)

    def entries(self, chain: str) -> list[tuple[str, list[str]]]:
        """The rules that send packets to a chain, each with the chain that it is in."""
        return [(name, rule) for name, rules in self.chains.items() for rule in rules if _leads(rule, chain)]

    def named(self, prefixes: tuple[str, ...]) -> list[str]:
        """The chains whose names begin so."""
        return [name for name in self.chains if name.startswith(prefixes)]


def parse(family: int, text: str) -> Table:
    """The table of a family from what the save command prints."""
    table = Table(family)
    current = ""
    for line in text.splitlines():
        if line.startswith("*"):
            current = line[1:].strip()
        if current != _NAMES[family]:
            continue
        if line.startswith(":"):
            table.chains.setdefault(line[1:].split()[0], [])
        elif line.startswith("-A "):
            words = line.split()
            table.chains.setdefault(words[1], []).append(words[2:])
    return table


def put(table: Table, card: Card, made: Filter) -> str:
    """The change that makes a card's chains those of a filter, whatever they were."""
    chains = made.chains[table.family]
    stale = [name for name in table.named(card.prefixes) if name not in chains]
    policy = "ACCEPT" if table.family == LAYER2 else "- [0:0]"
    lines = [f":{name} {policy}" for name in chains]  # makes a chain, or empties it
    lines += [] if table.family == LAYER2 else _bootstrap(table)
    lines += _without_entries(table, [*chains, *stale])
    for name, rules in chains.items():
        lines += [f"-A {name} {vnm_chains.checked(rule)}" for rule in rules]
    lines += [f"-I {at} 1 {vnm_chains.checked(rule)}" for at, *rule in made.entries[table.family]]
    return _text(table, [*lines, *_without_chains(stale)])


def remove(table: Table, prefixes: tuple[str, ...]) -> str:
    """The change that removes chains and every entry into them; empty when there are none."""
    names = table.named(prefixes)
    return _text(table, [*_without_entries(table, names), *_without_chains(names)]) if names else ""


def is_entered(table: Table, entries: Iterable[Words]) -> bool:
    """Whether a table has these entries, however it words them."""
    present = {(at, *sorted(rule)) for at, rules in table.chains.items() for rule in rules}
    return all((at, *sorted(rule)) in present for at, *rule in entries)


def set_names(table: Table) -> set[str]:
    """The sets that a table's rules refer to."""
    return {
        rule[at + 1]
        for rules in table.chains.values()
        for rule in rules
        for at, word in enumerate(rule[:-1])
        if word == "--match-set"
    }


def _bootstrap(table: Table) -> list[str]:
    """The first chain, when it is missing, and what leads to it."""
    lines = []
    if GLOBAL not in table.chains:
        lines += [f":{GLOBAL} - [0:0]", f"-A {GLOBAL} -j ACCEPT"]
    if not any(at == "FORWARD" for at, _ in table.entries(GLOBAL)):
        lines.append(f"-A FORWARD -m physdev --physdev-is-bridged -j {GLOBAL}")
    return lines


def _without_entries(table: Table, names: Collection[str]) -> list[str]:
    """Removal of the entries into chains; those among the chains themselves go with their contents."""
    return [
        f"-D {at} {' '.join(rule)}" for name in names for at, rule in table.entries(name) if at not in names
    ]


def _without_chains(names: Collection[str]) -> list[str]:
    return [*(f"-F {name}" for name in names), *(f"-X {name}" for name in names)]


def _text(table: Table, lines: list[str]) -> str:
    ordered = sorted(lines, key=lambda line: not line.startswith(":"))
    return "\n".join([f"*{_NAMES[table.family]}", *ordered, "COMMIT", ""])


def _leads(rule: list[str], chain: str) -> bool:
    return any(word in ("-j", "-g") and rule[at + 1] == chain for at, word in enumerate(rule[:-1]))
