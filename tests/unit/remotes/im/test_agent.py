"""The agent as a process: its answer, what it sends, how it is replaced, stopped and renewed."""

from __future__ import annotations

import base64
import itertools
import os
import signal
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import im_lease
import pytest

if TYPE_CHECKING:
    from tests.unit.remotes.im.conftest import NodeFiles

U1 = "00000000-0000-4000-8000-000000000001"
_START, _STOP = "im/run_monitord_client", "im/stop_monitord_client"
_DEADLINE_S = 60.0
# Agents are known by the host's number in a folder that all users of the machine share.
_HOSTS = itertools.count(100_000_000 + os.getpid() % 100_000 * 1000)


def until(holds: Callable[[], bool], what: str) -> None:
    """Return once it holds."""
    deadline = time.monotonic() + _DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class Monitord:
    """Where agents send to."""

    def __init__(self) -> None:
        self.streams = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.streams.getsockname()[1]
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", self.port))
        self.datagrams.settimeout(0.05)
        self.streams.settimeout(0.05)
        self._unread: list[bytes] = []

    def close(self) -> None:
        """Listen no more."""
        self.streams.close()
        self.datagrams.close()

    def wait(self, kind: str, status: str = "SUCCESS", text: str = "") -> str:
        """The text of the first message not read yet of this kind, status, and with this in its text."""
        deadline = time.monotonic() + _DEADLINE_S
        while time.monotonic() < deadline:
            self._unread += self._messages()
            for message in self._unread:
                words = message.decode().split(" ")
                said = zlib.decompress(base64.b64decode(words[4])).decode()
                if words[:2] == [kind, status] and text in said:
                    self._unread.remove(message)
                    return said
        raise AssertionError(f"no {kind} {status} with {text!r}")

    def _messages(self) -> Iterator[bytes]:
        try:
            yield self.datagrams.recv(65536)
        except TimeoutError:
            pass
        try:
            connection, _ = self.streams.accept()
        except TimeoutError:
            return
        with connection:
            yield b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def monitord() -> Iterator[Monitord]:
    """A listener on a port of its own."""
    made = Monitord()
    yield made
    made.close()


@pytest.fixture
def host(files: NodeFiles) -> Iterator[str]:
    """The number of a host; its agent is ended."""
    number = str(next(_HOSTS))
    yield number
    pid = agent(number)
    files.run(_STOP, "kvm", number, "node")
    if pid:
        until(lambda: not os.path.exists(f"/proc/{pid}"), "the agent has ended")


def agent(host: str) -> int:
    """The process of a host's agent, 0 for none."""
    try:
        return int(Path(im_lease.path(int(host))).read_text())
    except FileNotFoundError:
        return 0


def start(files: NodeFiles, host: str, monitord: Monitord, **periods_s: int) -> ElementTree.Element:
    """Start an agent that must answer."""
    done = files.run(
        _START, "kvm", host, "node", stdin=files.configuration(monitord.port, int(host), **periods_s)
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return ElementTree.fromstring(done.stdout)


def test_first_answer_and_messages(files: NodeFiles, host: str, monitord: Monitord) -> None:
    """All parts in their order; then a sign of life, figures, and changes of states."""
    files.domains(f"one-7 {U1} 1 1 0")
    answer = start(files, host, monitord, STATE_VM=1, MONITOR_VM=2, MONITOR_HOST=2, SYSTEM_HOST=2)
    assert [part.tag for part in answer] == [
        "SYSTEM_HOST",
        "MONITOR_HOST",
        "STATE_VM",
        "MONITOR_VM",
        "TIMESTAMP",
    ]
    texts = {part.tag: base64.b64decode(part.text or "", validate=True).decode() for part in answer[:4]}
    assert "TOTALCPU=" in texts["SYSTEM_HOST"] and "USEDCPU=" in texts["MONITOR_HOST"]
    assert texts["STATE_VM"].startswith("SYNC_STATE=yes\nMISSING_STATE=POWEROFF\nVM=[")
    assert f'DEPLOY_ID="{U1}",MONITOR="' in texts["MONITOR_VM"]
    for kind in ("BEACON_HOST", "MONITOR_VM", "MONITOR_HOST", "SYSTEM_HOST"):
        monitord.wait(kind)
    files.domains(f"one-7 {U1} 3 1 0")
    assert monitord.wait("STATE_VM") == f'VM=[ID="7",DEPLOY_ID="{U1}",STATE="SUSPENDED"]'
    files.domains()
    assert monitord.wait("STATE_VM") == f'VM=[ID="7",DEPLOY_ID="{U1}",STATE="POWEROFF"]'


def test_starting_twice_leaves_one(files: NodeFiles, host: str, monitord: Monitord) -> None:
    """The later one replaces the earlier one; another host's stays."""
    start(files, host, monitord)
    first = agent(host)
    other = str(next(_HOSTS))
    start(files, other, monitord)
    start(files, host, monitord)
    assert agent(host) != first and not im_lease.is_agent(first, int(host))
    assert im_lease.is_agent(agent(host), int(host))
    assert im_lease.is_agent(agent(other), int(other))
    done = files.run(_STOP, "kvm", other, "node", stdin=files.configuration())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_stop(files: NodeFiles, host: str, monitord: Monitord) -> None:
    """Ends it, twice without fault; one that ignores TERM is killed."""
    start(files, host, monitord)
    pid = agent(host)
    for _ in range(2):
        assert files.run(_STOP, "kvm", host, "node").returncode == 0
        assert not im_lease.is_agent(pid, int(host)) and agent(host) == 0
    start(files, host, monitord)
    pid = agent(host)
    os.kill(pid, signal.SIGSTOP)
    assert files.run(_STOP, "kvm", host, "node").returncode == 0
    assert not im_lease.is_agent(pid, int(host))


def test_ends_with_its_file_or_its_actions(files: NodeFiles, host: str, monitord: Monitord) -> None:
    """An agent whose file is gone, or whose driver actions were removed, is not wanted."""
    start(files, host, monitord)
    pid = agent(host)
    Path(im_lease.path(int(host))).unlink()
    until(lambda: not im_lease.is_agent(pid, int(host)), "ended without its file")
    start(files, host, monitord)
    pid = agent(host)
    (files.remotes / "lib").rename(files.remotes / "elsewhere")
    until(lambda: not im_lease.is_agent(pid, int(host)), "ended without its actions")
    (files.remotes / "elsewhere").rename(files.remotes / "lib")


def test_newer_actions(files: NodeFiles, host: str, monitord: Monitord) -> None:
    """The agent goes on with them in the same process, with the configuration that it has."""
    start(files, host, monitord, SYSTEM_HOST=1)
    pid = agent(host)
    code = files.remotes / "lib/im_host.py"
    newer = code.with_name("newer")
    newer.write_text(code.read_text().replace('line("ARCH", os.uname().machine)', 'line("ARCH", "new")'))
    newer.replace(code)
    monitord.wait("SYSTEM_HOST", text='ARCH="new"')
    assert agent(host) == pid and im_lease.is_agent(pid, int(host))


def test_libvirt_that_is_down(files: NodeFiles, host: str, monitord: Monitord) -> None:
    """States fail, none is missing; the host's fault is said soon, and soon that it is over."""
    (files.remotes / "etc/im/kvm-probes.d/probe_db.conf").write_text(":times_missing: 1\n")
    files.domains(f"one-7 {U1} 1 1 0")
    start(files, host, monitord, STATE_VM=1)
    (files.bin / "down").touch()
    assert "failed to connect" in monitord.wait("STATE_VM", "FAILURE")
    assert "failed to connect" in monitord.wait("SYSTEM_HOST", "FAILURE")
    (files.bin / "down").unlink()
    said = [monitord.wait("STATE_VM"), monitord.wait("SYSTEM_HOST")]
    assert said[0].startswith("SYNC_STATE=yes") and 'STATE="RUNNING"' in said[0]


def test_what_was_not_heard_is_said_again(files: NodeFiles, host: str, monitord: Monitord) -> None:
    """A change that could not be sent is in the whole list that is sent when monitord is back."""
    files.domains(f"one-7 {U1} 1 1 0")
    start(files, host, monitord, STATE_VM=1)
    monitord.streams.close()
    files.domains(f"one-7 {U1} 3 1 0")
    until(lambda: "list --uuid" in (files.bin / "calls").read_text(), "a look")
    looks = (files.bin / "calls").read_text().count("list --uuid")
    until(
        lambda: (files.bin / "calls").read_text().count("list --uuid") > looks + 2, "looks after the change"
    )
    monitord.streams = socket.create_server(("127.0.0.1", monitord.port))
    monitord.streams.settimeout(0.05)
    said = monitord.wait("STATE_VM")
    assert said.startswith("SYNC_STATE=yes") and 'STATE="SUSPENDED"' in said


def test_a_probe_that_hangs(files: NodeFiles, host: str, monitord: Monitord) -> None:
    """Holds up only its own message, and ends with the agent."""
    probe = files.remotes / "im/kvm-probes.d/host/monitor/slow"
    start(files, host, monitord, MONITOR_HOST=1, STATE_VM=1, SYNC_STATE_VM=1)
    note = files.bin / "slow"
    probe.write_text(f"#!/bin/sh\necho $$ >{note}.part\nmv {note}.part {note}\nexec sleep 1000\n")
    probe.chmod(0o755)
    until((files.bin / "slow").exists, "the probe runs")
    for _ in range(2):
        monitord.wait("STATE_VM")
    files.run(_STOP, "kvm", host, "node")
    pid = int((files.bin / "slow").read_text())
    until(lambda: not Path(f"/proc/{pid}").exists(), "the probe has ended")


def test_failures_of_a_start(files: NodeFiles, host: str, monitord: Monitord) -> None:
    """Each is one message, and no agent is left."""
    good = files.configuration(monitord.port)
    cases = [
        ((host, "node"), good, {"ssh_client": ""}, 'MONITOR_ADDRESS is "auto", but SSH_CLIENT is not set'),
        ((host, "node"), b"<x", {}, "no XML"),
        (("five", "node"), good, {}, "the host's ID must be a number"),
        ((host, "node"), files.configuration(extra="<PUBKEY>x</PUBKEY>"), {}, "NETWORK/PUBKEY"),
    ]
    for arguments, config, options, message in cases:
        done = files.run(_START, "kvm", *arguments, stdin=config, **options)
        assert done.returncode == 1 and done.stdout == "", message
        assert message in done.stderr and done.stderr.count("ERROR MESSAGE") == 2, done.stderr
    (files.bin / "down").touch()
    done = files.run(_START, "kvm", host, "node", stdin=good)
    assert done.returncode == 1 and "failed to connect" in done.stderr
    assert agent(host) == 0
    for hypervisor in ("xen", "../kvm", "-x"):
        done = files.run(_START, hypervisor, host, "node", stdin=good)
        assert done.returncode == 1 and done.stdout == "" and "ERROR MESSAGE" in done.stderr


def test_a_file_of_another(files: NodeFiles, host: str, monitord: Monitord, tmp_path: Path) -> None:
    """What others put at its place is neither followed nor believed."""
    place = Path(im_lease.path(int(host)))
    victim = tmp_path / "victim"
    victim.write_text("precious")
    place.symlink_to(victim)
    done = files.run(_START, "kvm", host, "node", stdin=files.configuration(monitord.port))
    assert done.returncode == 1 and str(place) in done.stderr and victim.read_text() == "precious"
    place.unlink()
    os.link(victim, place)
    assert files.run(_STOP, "kvm", host, "node").returncode == 1 and victim.read_text() == "precious"
    place.unlink()
    place.write_text(f"{os.getpid()}\n")  # a process that is no agent
    start(files, host, monitord)
    assert agent(host) != os.getpid()


def test_foreign_clients(files: NodeFiles, host: str, monitord: Monitord) -> None:
    """Other executables of HYPERVISOR.d are run as well; those named *_control.sh are stopped."""
    client = files.remotes / "im/kvm.d/other_control.sh"
    client.write_text(f'#!/bin/sh\necho "$* $(cat | wc -c)" >>{files.bin}/said\n')
    client.chmod(0o755)
    config = files.configuration(monitord.port)
    files.run(_START, "kvm", host, "node", stdin=config)
    files.run(_STOP, "kvm", host, "node", stdin=config)
    assert (
        files.bin / "said"
    ).read_text() == f"kvm {host} node {len(config)}\nstop kvm {host} node {len(config)}\n"
