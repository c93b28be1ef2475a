"""A node's network in a network namespace of its own, and ends in further ones that stand for guests.

Network drivers run in it as they do on a node. Nothing is measured in time: a frame counts as dropped when a
later one has arrived.
"""

from __future__ import annotations

import base64
import ctypes
import os
import queue
import re
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from xml.sax.saxutils import escape

from tests.support.node import frames

REMOTES = Path(__file__).resolve().parents[3] / "services/remotes"
_CLONE_NEWNET = 0x40000000
_DEADLINE_S = 20.0
_T = TypeVar("_T")
_BREAKING = """\
#!/bin/sh
echo "{name} $*" >> {tools}/calls
if [ "$(wc -l < {tools}/calls)" -eq "$(cat {tools}/at)" ]; then
    [ "$(cat {tools}/how)" = fail ] || kill -9 $PPID
    echo "{name}: broken by the test" >&2
    exit 1
fi
exec /usr/sbin/{name} "$@"
"""


class Namespace:
    """A network namespace without a name; it ends with ``close``."""

    def __init__(self) -> None:
        self._fd = _in_thread(_unshared)

    @property
    def path(self) -> str:
        """Where other programs find it."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def inside(self, call: Callable[[], _T]) -> _T:
        """What a function says that is called in the namespace."""

        def enter() -> _T:
            _libc("setns", self._fd, _CLONE_NEWNET)
            return call()

        return _in_thread(enter)

    def run(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A program in the namespace."""
        return subprocess.run(
            ["nsenter", f"--net={self.path}", "--", *argv], input=stdin, capture_output=True, text=True
        )

    def must(self, *argv: str, stdin: str = "") -> str:
        """The output of a program that must succeed."""
        done = self.run(*argv, stdin=stdin)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def close(self) -> None:
        os.close(self._fd)


class End:
    """The far end of a port: an interface ``eth0`` whose frames the test sends and receives."""

    def __init__(self, mac: str) -> None:
        self.mac = mac
        self.space = Namespace()
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Begin to listen; the interface must be there."""
        self._socket = self.space.inside(self._made)

    def _made(self) -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        made.bind(("eth0", 0))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        return made

    def send(self, frame: bytes) -> None:
        assert self._socket is not None
        self._socket.send(frame)

    def received(self, wanted: Callable[[bytes], bool]) -> list[bytes] | None:
        """Every frame up to one that is wanted; None when that does not come."""
        assert self._socket is not None
        seen: list[bytes] = []
        until = time.monotonic() + _DEADLINE_S
        while (left_s := until - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                data, sender = self._socket.recvfrom(65536)
            except TimeoutError:
                break
            if sender[2] == socket.PACKET_OUTGOING:
                continue
            seen.append(data)
            if wanted(data):
                return seen
        return None

    def pending(self) -> list[bytes]:
        """The frames that have arrived already."""
        assert self._socket is not None
        seen = []
        self._socket.setblocking(False)
        while True:
            try:
                seen.append(self._socket.recvfrom(65536)[0])
            except BlockingIOError:
                return seen

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self.space.close()


class Switch:
    """A node's network. folder: empty; a copy of the drivers is made there, with their settings."""

    def __init__(self, folder: Path) -> None:
        self.space = Namespace()
        self.remotes = folder / "remotes"
        self._ends: list[End] = []
        for part in ("vnm", "lib", "etc/vnm"):
            shutil.copytree(REMOTES / part, self.remotes / part)

    def act(
        self, driver: str, action: str, document: str, *args: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run an action of a network driver with a VM's document."""
        return subprocess.run(
            ["nsenter", f"--net={self.space.path}", "--", str(self.remotes / "vnm" / driver / action), *args],
            input=base64.b64encode(document.encode()).decode(),
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
        )

    def must(self, driver: str, action: str, document: str, *args: str) -> None:
        """Run an action that must succeed."""
        done = self.act(driver, action, document, *args)
        assert done.returncode == 0, done.stderr

    def break_at(self, call: int, how: str) -> None:
        """Let the privileged command of this number (from 1; 0: none) break the actions that run from now on.

        how: `kill` ends the action without a word before the command does anything, `fail` fails the command.
        """
        tools = self.remotes / "tools"
        if not tools.exists():
            tools.mkdir()
            module = self.remotes / "lib/vnm_node.py"
            text = module.read_text()
            for name in sorted(
                {word.rsplit("/", 1)[1] for word in re.findall(r'"(/usr/sbin/[a-z0-9-]+)"', text)}
            ):
                script = tools / name
                script.write_text(_BREAKING.format(tools=tools, name=name))
                script.chmod(0o755)
            module.write_text(text.replace('"/usr/sbin/', f'"{tools}/'))
        (tools / "calls").write_text("")
        (tools / "at").write_text(f"{call}\n")
        (tools / "how").write_text(f"{how}\n")

    def calls(self) -> list[str]:
        """The privileged commands that have run since ``break_at``."""
        return (self.remotes / "tools/calls").read_text().splitlines()

    def plug(self, name: str, mac: str, bridge: str) -> End:
        """Connect an end to a bridge by a port of this name, as a hypervisor does with a machine."""
        end = End(mac)
        self._ends.append(end)
        peer = ("peer", "name", "eth0", "address", mac, "netns", end.space.path)
        self.space.must("ip", "link", "add", "name", name, "type", "veth", *peer)
        self.space.must("ip", "link", "set", "dev", name, "master", bridge, "up")
        end.space.must("ip", "link", "set", "dev", "eth0", "up")
        end.open()
        return end

    def state(self) -> str:
        """Everything that filters consist of here."""
        commands: Sequence[tuple[str, ...]] = (
            ("iptables-save", "-t", "filter"),
            ("ip6tables-save", "-t", "filter"),
            ("ebtables-save", "-t", "nat"),
            ("ipset", "list", "-name"),
        )
        text = "".join(self.space.must(*command) for command in commands)
        return "\n".join(line for line in text.splitlines() if not line.startswith("#"))

    def close(self) -> None:
        for end in self._ends:
            end.close()
        self.space.close()


def passes(sender: End, receiver: End, frame: bytes) -> bool:
    """Whether a frame arrives."""
    sender.send(frame)
    return receiver.received(lambda data: data == frame) is not None


def is_dropped(sender: End, receiver: End, frame: bytes, marker: tuple[End, End] | None = None) -> bool:
    """Whether a frame is missing when a later one is there.

    marker: the ends that the later one goes between, where those of the frame itself are closed.
    """
    source, target = marker or (sender, receiver)
    later = frames.ethernet(source.mac, target.mac, frames.MARKER, secrets.token_bytes(50))
    sender.send(frame)
    source.send(later)
    seen = target.received(lambda data: data == later)
    assert seen is not None, "the marker has not arrived"
    return frame not in (seen if target is receiver else receiver.pending())


def vm_document(
    vm_id: int,
    nics: Sequence[Mapping[str, str]],
    *,
    aliases: Sequence[Mapping[str, str]] = (),
    rules: Sequence[Mapping[str, str]] = (),
) -> str:
    """A VM as network drivers get it."""
    parts = [
        f"<{tag}>{''.join(f'<{name}>{escape(text)}</{name}>' for name, text in each.items())}</{tag}>"
        for tag, vectors in (("SECURITY_GROUP_RULE", rules), ("NIC", nics), ("NIC_ALIAS", aliases))
        for each in vectors
    ]
    place = "<HOSTNAME>node</HOSTNAME><HID>0</HID><DS_ID>0</DS_ID><VM_MAD>qemu</VM_MAD>"
    return (
        f"<VM><ID>{vm_id}</ID><DEPLOY_ID/><TEMPLATE>{''.join(parts)}</TEMPLATE><USER_TEMPLATE/>"
        f"<HISTORY_RECORDS><HISTORY>{place}</HISTORY></HISTORY_RECORDS></VM>"
    )


def _in_thread(call: Callable[[], _T]) -> _T:
    """Namespaces belong to threads: the call gets one of its own, which ends with it."""
    answers: queue.Queue[tuple[_T | None, BaseException | None]] = queue.Queue()

    def work() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            answers.put((None, error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    value, error = answers.get()
    if error is not None:
        raise error
    return value  # type: ignore[return-value]


def _unshared() -> int:
    _libc("unshare", _CLONE_NEWNET)
    return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)


def _libc(name: str, *args: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
