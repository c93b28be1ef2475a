"""Filters that are exchanged under traffic, that cannot be made, that are interrupted, that are removed."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import frames
from tests.support.node.frames import UDP
from tests.support.node.switch import Switch, is_dropped, passes, vm_document
from tests.support.node.wire import (
    GUEST,
    GUEST_4,
    OTHER,
    OTHER_4,
    VM_ID,
    Wire,
    alias,
    nic,
    rule,
)

ALWAYS, OLD, NEW, NEVER = 1, 22, 80, 99
BEFORE = (rule("INBOUND", "UDP", RANGE=f"{ALWAYS},{OLD}"), rule("OUTBOUND", "ALL"))
AFTER = (rule("INBOUND", "UDP", RANGE=f"{ALWAYS},{NEW}"), rule("OUTBOUND", "ALL"))
# Without a name that the core has chosen, an interface is known only after the machine has started.
UNNAMED = {"TARGET": ""}


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    switch = Switch(tmp_path)
    try:
        yield Wire(switch)
    finally:
        switch.close()


def probe(port: int, number: int = 9) -> bytes:
    inside = frames.udp(OTHER_4, GUEST_4, number, port)
    return frames.packet(OTHER, GUEST, OTHER_4, GUEST_4, UDP, inside)


def arriving(wire: Wire, sender_port: int) -> set[int]:
    """Which of the four ports can be reached; sender_port: another one each time, for a new connection."""
    ports = (ALWAYS, OLD, NEW, NEVER)
    return {port for port in ports if not is_dropped(wire.other, wire.guest, probe(port, sender_port))}


def is_closed(wire: Wire, sender_port: int) -> bool:
    """Whether nothing reaches the guest and nothing leaves it, not even a frame that is no packet."""
    watcher = wire.watcher
    raw = frames.ethernet(OTHER, GUEST, frames.MARKER, bytes(60))
    question = frames.arp(GUEST, GUEST_4, OTHER_4)
    into = (probe(ALWAYS, sender_port), raw)
    return all(is_dropped(wire.other, wire.guest, each, (wire.other, watcher)) for each in into) and all(
        is_dropped(wire.guest, wire.other, each, (watcher, wire.other))
        for each in (question, frames.ethernet(GUEST, OTHER, frames.MARKER, bytes(60)))
    )


def document(*rules: object, vm_mad: str = "qemu", **more: str) -> str:
    text = vm_document(VM_ID, [nic(**more)], rules=rules)  # type: ignore[arg-type]
    return text.replace("<VM_MAD>qemu", f"<VM_MAD>{vm_mad}")


def words(state: str) -> list[str]:
    """A state to compare: the end of a set's name changes each time."""
    return sorted(re.sub(r"(one-7-0-[46][in][0-9]+)[abc]", r"\1", state).split())


def test_update_loses_nothing_and_lets_nothing_in(wire: Wire) -> None:
    """What both rules allow arrives to the last packet while they are exchanged; what neither does, never."""
    guest = wire.start(*BEFORE)
    assert arriving(wire, 10) == {ALWAYS, OLD}
    has_ended = threading.Event()
    sent: list[bytes] = []

    def send() -> None:
        number = 1000
        while not has_ended.wait(0.0005) and number < 60000:
            for port in (ALWAYS, NEVER):
                frame = probe(port, number)
                wire.other.send(frame)
                sent.append(frame)
            number += 1

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for rules in (AFTER, BEFORE, AFTER):
            wire.switch.must("fw", "update_sg", document(*rules), f"one-{VM_ID}")
    finally:
        has_ended.set()
        sender.join()
    last = probe(ALWAYS, 60001)
    wire.other.send(last)
    seen = guest.received(lambda data: data == last)
    assert seen is not None
    assert len(sent) > 20
    assert [frame for frame in seen[:-1] if frame in set(sent)] == sent[::2]
    assert arriving(wire, 11) == {ALWAYS, NEW}


def test_update_leaves_no_more_than_a_start(wire: Wire) -> None:
    targets = rule("INBOUND", "UDP", RANGE="5", IP="10.0.0.1", SIZE="9")
    wire.start(targets, *BEFORE, FILTER_IP_SPOOFING="YES")
    first = wire.switch.state()
    for rules in (AFTER, (targets, *BEFORE), (targets, *BEFORE), (targets, *BEFORE)):
        text = document(*rules, FILTER_IP_SPOOFING="YES")
        wire.switch.must("fw", "update_sg", text, f"one-{VM_ID}")
    assert words(wire.switch.state()) == words(first)


def test_rules_that_are_none_are_refused(wire: Wire) -> None:
    """At the start nothing passes; a machine that runs keeps the rules that it has."""
    bad = rule("INBOUND", "TCP", RANGE="90:80")
    done = wire.switch.act("fw", "pre", document(bad))
    assert done.returncode == 1
    assert (
        "nic 0 of vm 7: its security groups cannot be applied: security group 5: a rule has RANGE '90:80'"
        in (done.stderr)
    )
    wire.plug()
    assert is_closed(wire, 20)
    wire.switch.must("fw", "post", document(*BEFORE), f"one-{VM_ID}", "node")
    before = wire.switch.state()
    done = wire.switch.act("fw", "update_sg", document(bad), f"one-{VM_ID}")
    assert done.returncode == 1
    assert "RANGE '90:80'" in done.stderr
    assert wire.switch.state() == before
    assert arriving(wire, 21) == {ALWAYS, OLD}


@pytest.mark.parametrize("setting", ["iptables", "ip6tables"])
def test_a_node_that_filters_no_bridges_is_refused(wire: Wire, setting: str) -> None:
    name = f"/proc/sys/net/bridge/bridge-nf-call-{setting}"
    wire.switch.space.inside(lambda: Path(name).write_text("0"))
    before = wire.switch.state()
    for action, args in (("pre", ()), ("post", ("one-7", "node")), ("update_sg", ("one-7",))):
        done = wire.switch.act("fw", action, document(*BEFORE), *args)
        assert done.returncode == 1
        assert f"net.bridge.bridge-nf-call-{setting} is 0, expected 1" in done.stderr
    assert wire.switch.state() == before


def test_closed_until_the_name_is_known(wire: Wire) -> None:
    text = document(*BEFORE, vm_mad="lxc", **UNNAMED)
    wire.switch.must("fw", "pre", text)
    wire.plug()
    assert is_closed(wire, 20)
    wire.switch.must("fw", "post", text, f"one-{VM_ID}", "node")
    assert arriving(wire, 21) == {ALWAYS, OLD}


def test_a_name_that_a_user_has_chosen_is_not_trusted(wire: Wire) -> None:
    """It could be that of the node's own interface, whose traffic the rules would stop."""
    wire.switch.must("fw", "pre", document(TARGET="other"))
    wire.plug()
    assert is_closed(wire, 20)
    assert passes(wire.other, wire.watcher, frames.arp(OTHER, OTHER_4, GUEST_4))


def test_killed_at_any_command_nothing_passes_that_should_not(wire: Wire) -> None:
    """An interface opens with the last command only; a second run completes what the first began."""
    switch = wire.switch
    text = document(*BEFORE, vm_mad="lxc", FILTER_IP_SPOOFING="YES", **UNNAMED)
    switch.break_at(0, "kill")
    switch.must("fw", "pre", text)
    wire.plug()
    switch.break_at(0, "kill")
    switch.must("fw", "post", text, f"one-{VM_ID}", "node")
    commands = len(switch.calls())
    complete = switch.state()
    assert arriving(wire, 10) == {ALWAYS, OLD}
    for number in range(1, commands + 1):
        switch.break_at(0, "kill")
        switch.space.must("ip", "link", "set", "dev", f"one-{VM_ID}-0", "master", "onebr.0")
        switch.must("fw", "pre", text)
        switch.break_at(number, "kill")
        done = switch.act("fw", "post", text, f"one-{VM_ID}", "node")
        assert done.returncode == -9, done.stderr
        assert is_closed(wire, 20 + number), number
        switch.break_at(0, "kill")
        if number % 4 == 0:
            switch.must("fw", "post", text, f"one-{VM_ID}", "node")
            assert words(switch.state()) == words(complete)
        switch.must("fw", "clean", text, "node")
    switch.space.must("ip", "link", "set", "dev", f"one-{VM_ID}-0", "master", "onebr.0")
    switch.must("fw", "pre", text)
    switch.must("fw", "post", text, f"one-{VM_ID}", "node")
    assert arriving(wire, 11) == {ALWAYS, OLD}


@pytest.mark.parametrize("how", ["kill", "fail"])
def test_update_broken_at_any_command(wire: Wire, how: str) -> None:
    """The old rules or the new ones or nothing at all, and all of the new ones the next time."""
    switch = wire.switch
    more = {"FILTER_IP_SPOOFING": "YES"}
    wire.start(*BEFORE, **more)
    switch.break_at(0, how)
    switch.must("fw", "update_sg", document(*AFTER, **more), f"one-{VM_ID}")
    calls = switch.calls()
    last = max(at for at, name in enumerate(calls, 1) if name.startswith("ebtables-restore"))
    # A command that only reads fails as one that is killed. Sets that are left go the next time.
    meant = [at for at, name in enumerate(calls, 1) if how == "kill" or "restore" in name]
    ports = {0: {ALWAYS, OLD}, 1: {ALWAYS, NEW}}
    for turn, number in enumerate(meant):
        rules, wanted = (AFTER, ports[1]) if turn % 2 else (BEFORE, ports[0])
        switch.break_at(number, how)
        done = switch.act("fw", "update_sg", document(*rules, **more), f"one-{VM_ID}")
        assert (done.returncode != 0) == (how == "kill" or number <= last), (number, calls)
        assert arriving_or_closed(wire, number) in (ports[0], ports[1], set()), (number, calls)
        switch.break_at(0, how)
        switch.must("fw", "update_sg", document(*rules, **more), f"one-{VM_ID}")
        assert arriving(wire, 100 + number) == wanted
    assert len([name for name in switch.state().splitlines() if name.startswith("one-7-0-")]) == 2


def arriving_or_closed(wire: Wire, number: int) -> set[int]:
    """As ``arriving``, also when the guest gets no frame at all."""
    through = (wire.other, wire.watcher)
    ports = (ALWAYS, OLD, NEW, NEVER)
    return {
        port for port in ports if not is_dropped(wire.other, wire.guest, probe(port, 50 + number), through)
    }


def test_clean_leaves_nothing(wire: Wire) -> None:
    """Twice, with aliases, and without rules that could still be read; another machine's are untouched."""
    switch = wire.switch
    neighbour = vm_document(70, [nic(TARGET="one-70-0", MAC="02:00:0a:00:00:46")], rules=BEFORE)
    switch.must("fw", "pre", neighbour)
    before = switch.state()
    filters = {"FILTER_IP_SPOOFING": "YES", "FILTER_MAC_SPOOFING": "YES"}
    targets = rule("INBOUND", "ALL", IP="10.0.0.1", SIZE="9")
    wire.start_with([alias(SECURITY_GROUPS="5")], targets, **filters)
    assert f"one-{VM_ID}-0" in switch.state()
    bad = vm_document(VM_ID, [nic(**filters)], aliases=[alias()], rules=[{"PROTOCOL": "?"}])
    switch.must("fw", "clean", bad, "node")
    assert switch.state() == before
    switch.must("fw", "clean", bad, "node")
    assert switch.state() == before


def test_an_interface_that_outlives_its_rules_is_disconnected(wire: Wire) -> None:
    guest = wire.start(*BEFORE)
    wire.switch.must("fw", "clean", document(*BEFORE), "node")
    assert is_dropped(wire.other, guest, probe(ALWAYS), (wire.other, wire.watcher))


def test_only_the_interface_under_way_is_touched(wire: Wire) -> None:
    wire.start(*BEFORE)
    before = wire.switch.state()
    second = nic(NIC_ID="2", TARGET=f"one-{VM_ID}-2", MAC="02:00:0a:00:00:17", ATTACH="YES")
    text = vm_document(VM_ID, [nic(), second], rules=AFTER)
    wire.switch.must("fw", "pre", text)
    assert arriving(wire, 10) == {ALWAYS, OLD}
    wire.switch.must("fw", "clean", text, "node")
    assert wire.switch.state() == before


def test_hooks_follow_the_action(wire: Wire, tmp_path: Path) -> None:
    """In the order of their names, with arguments and document; one that fails fails the action."""
    folder = wire.switch.remotes / "vnm/fw/clean.d"
    folder.mkdir()
    for name, body in (
        ("20-b", "echo b $1 >> $OUT"),
        ("10-a", "wc -c >> $OUT"),
        ("30-c", "echo no >&2; exit 3"),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755 if name != "30-c" else 0o644)
    out = tmp_path / "out"
    text = document()
    assert wire.switch.act("fw", "clean", text, "node", env={"OUT": str(out)}).returncode == 0
    size, said = out.read_text().splitlines()
    assert int(size) > len(text)
    assert said == "b node"
    (folder / "30-c").chmod(0o755)
    done = wire.switch.act("fw", "clean", text, "node", env={"OUT": str(out)})
    assert done.returncode == 1
    assert "30-c failed: no" in done.stderr
