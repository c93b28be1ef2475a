"""The actions of the network drivers, and the administrator's hooks that follow them.

An action finds the VM's document in base64 on its standard input; its arguments are handed on to the hooks.
Filters are in force before a machine starts, when the core has chosen its interfaces' names, as it does;
otherwise an interface is closed until its name is known.
Source: drivers of release 6.0.0.3: which action does what, and when interfaces being attached are meant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import driver
import vnm_bridges
import vnm_cards
import vnm_chains
import vnm_document
import vnm_firewall
import vnm_node
import vnm_settings
from vnm_chains import Card
from vnm_document import Nic, Vm
from vnm_settings import Settings

_HOOK_TIMEOUT_S = 300.0


def main(name: str, action: Callable[[str, Vm], None]) -> None:
    """Run one action of the driver ``name`` with what the process was given, then its hooks."""

    def run(args: Sequence[str]) -> None:
        data = sys.stdin.buffer.read()
        with vnm_node.locked():
            action(name, vnm_document.read(data))
        _hooks(os.path.realpath(sys.argv[0]) + ".d", args, data)

    driver.main(run)


def pre(name: str, vm: Vm) -> None:
    """Before a machine starts or gets an interface: bridges are there, and filters."""
    settings = vnm_settings.load()
    cards = _cards(name, vm)
    if cards:
        vnm_firewall.require_bridge_filter()
    vnm_bridges.connect(_meant(name, vm), settings)
    for card in cards:
        if card.tap:
            _protect(card, vm, settings)
        else:
            vnm_firewall.close([card])


def post(name: str, vm: Vm) -> None:
    """After it has started: filters are in force on the interfaces that it has."""
    _protect_running(_cards(name, vm), vm)


def clean(name: str, vm: Vm) -> None:
    """After it has stopped or lost an interface: filters and what nobody needs any more are removed.

    An interface that is there all the same is disconnected first, so that nothing passes it unfiltered. When
    an alias has gone, the filter of its interface goes on without it.
    """
    cards = _cards(name, vm, is_leaving=True)
    marked = vm.marked
    try:
        if marked is None and cards:
            _release(nic.tap for nic in vm.nics if nic.driver in vnm_cards.FILTERING)
            # Also what failed attachments have left: the document does not name their interfaces any more.
            vnm_firewall.remove((vnm_chains.all_prefix(vm.vm_id),))
        elif marked is not None and marked.parent_id:
            _protect_running([card for card in cards if card.needs_filter], vm)
            for card in cards:
                if not card.needs_filter:
                    vnm_firewall.remove(card.prefixes)
        else:
            _release(card.tap for card in cards if card.is_filtered)
            for card in cards:
                vnm_firewall.remove(card.prefixes)
    finally:
        vnm_bridges.disconnect(_meant(name, vm), vnm_settings.load())


def update_sg(name: str, vm: Vm) -> None:
    """Security groups have changed: their rules are in force on all interfaces."""
    _protect_running(_cards(name, vm, is_of_all=True), vm)


def _cards(name: str, vm: Vm, *, is_of_all: bool = False, is_leaving: bool = False) -> list[Card]:
    if name not in vnm_cards.FILTERING:
        return []
    return vnm_cards.cards(name, vm, is_of_all=is_of_all, is_leaving=is_leaving)


def _release(taps: Iterable[str]) -> None:
    """Take interfaces that are still there out of their bridges."""
    links = vnm_node.links()
    for tap in taps:
        if tap in links and links[tap].master:
            vnm_node.release(tap)


def _protect_running(cards: Sequence[Card], vm: Vm) -> None:
    if not cards:
        return
    vnm_firewall.require_bridge_filter()
    settings, links = vnm_settings.load(), vnm_node.links()
    for card in cards:
        _protect(replace(card, tap=vnm_cards.tap(card.nic, vm, links)), vm, settings)


def _protect(card: Card, vm: Vm, settings: Settings) -> None:
    try:
        vnm_firewall.protect(card, vm.rules, settings.number(card.nic, "ipset_maxelem"))
    except driver.DriverError as error:
        raise driver.DriverError(
            f"{card.nic.label}: its security groups cannot be applied: {error}"
        ) from None


def _meant(name: str, vm: Vm) -> list[Nic]:
    """The driver's interfaces that an action is about: the one being attached or detached, else all."""
    marked = vm.marked
    return [nic for nic in vm.own_nics(name) if marked is None or nic is marked]


def _hooks(folder: str, args: Sequence[str], data: bytes) -> None:
    """Run the executables of a folder in the order of their names; a failure ends it. Raises DriverError."""
    if not os.path.isdir(folder):
        return
    for entry in sorted(os.listdir(folder)):
        path = os.path.join(folder, entry)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            sys.stderr.write(driver.run([path, *args], stdin=data, timeout_s=_HOOK_TIMEOUT_S))
