"""Services that have to run, with systemd and without."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from onebox_cli.node.item import Finding, Unfit, call, run

_WAIT_S = 20.0


def has_systemd() -> bool:
    """Whether systemd runs this machine."""
    return Path("/run/systemd/system").is_dir()


@dataclass(frozen=True)
class Service:
    """A service. ``unit``: what has to be up for systemd; ``command`` and ``pid_file``: where there is none.

    libvirt's services are started by their sockets and end when they are idle: the socket has to be up.
    """

    name: str
    unit: str
    command: tuple[str, ...]
    pid_file: Path

    def examine(self) -> Finding:
        """Whether it runs, and is started with the machine."""
        if has_systemd():
            if call("systemctl", "is-active", "--quiet", self.unit).returncode:
                return Finding(f"{self.unit} is not up", f"systemctl enable --now {self.unit}")
            if call("systemctl", "is-enabled", "--quiet", self.unit).returncode:
                return Finding(
                    f"{self.unit} does not start with the machine", f"systemctl enable {self.unit}"
                )
            return Finding(f"{self.unit} is up")
        pid = self.pid()
        if not pid:
            return Finding("does not run", f"start {' '.join(self.command)}")
        return Finding(f"process {pid}; no systemd, so whoever starts this machine has to start it")

    def apply(self) -> None:
        """Start it. Raises Unfit."""
        if has_systemd():
            run("systemctl", "enable", "--now", self.unit)
            return
        if self.name == "sshd":
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        run(*self.command)
        deadline = time.monotonic() + _WAIT_S
        while not self.pid():
            if time.monotonic() > deadline:
                raise Unfit(f"{self.command[0]} does not run {_WAIT_S:g} s after its start")
            time.sleep(0.05)

    def restart(self) -> None:
        """Have it read its settings again; machines that run go on."""
        if has_systemd():
            run("systemctl", "try-restart", f"{self.unit.partition('.')[0]}.service")
        elif pid := self.pid():
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + _WAIT_S
            while self.pid():
                if time.monotonic() > deadline:
                    raise Unfit(f"{self.name} (process {pid}) does not end")
                time.sleep(0.05)
            self.apply()

    def pid(self) -> int:
        """Its process, 0 when there is none."""
        try:
            pid = int(self.pid_file.read_text(encoding="ascii"))
            name, _, state = (
                Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").partition("(")[2].rpartition(")")
            )
        except (OSError, ValueError):
            return 0
        has_ended = state.split()[0] == "Z"
        return pid if name == Path(self.command[0]).name[:15] and not has_ended else 0


SSHD = Service("sshd", "ssh.service", ("/usr/sbin/sshd",), Path("/run/sshd.pid"))
VIRTLOGD = Service("virtlogd", "virtlogd.socket", ("/usr/sbin/virtlogd", "-d"), Path("/run/virtlogd.pid"))
LIBVIRTD = Service("libvirtd", "libvirtd.socket", ("/usr/sbin/libvirtd", "-d"), Path("/run/libvirtd.pid"))
