"""Getting a Debian machine ready for every test: packages, and a Docker engine where none runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onebox_cli import container
from onebox_cli.ui import Failure, run_logged, say, step, tail

# What the tests need beyond git and python3, and why. The one list of it.
PACKAGES = {
    "docker.io": "image ring",
    "iptables": "published ports of containers",
    "ipset": "node ring: security groups",
    "docker-compose": "image ring",
    "podman": "image ring",
    "podman-compose": "image ring",
    "netavark": "networks of podman-compose",
    "aardvark-dns": "names in these networks",
    "iproute2": "a network of its own for podman-compose",
    "slirp4netns": "network of rootless Podman",
    "uidmap": "rootless Podman",
    "fuse-overlayfs": "storage of rootless Podman",
    "mmdebstrap": "base image where no registry can be reached",
    "mariadb-server-core": "service ring on MariaDB",
    "mariadb-client-core": "service ring on MariaDB",
    "gcc": "building mysqlclient",
    "libc6-dev": "building mysqlclient",
    "libmariadb-dev": "building mysqlclient",
    "pkg-config": "building mysqlclient",
    "python3-dev": "building mysqlclient",
    "procps": "kill tests",
    "openssl": "unit ring: a certificate",
    "openssh-client": "front-ends reach nodes by it",
    "rsync": "driver actions go to nodes by it",
    "qemu-utils": "disk images",
    "qemu-system-x86": "unit ring: a console; machines that libvirt would start",
    "libvirt0": "unit ring: libvirt's schemas",
    "websockify": "service ring: consoles",
    "libvirt-clients": "unit ring: libvirt's own check of a machine's document",
    "genisoimage": "context CDs of machines",
    "xorriso": "unit ring: what context CDs hold",
    "openssh-server": "unit ring: nodes of transfer drivers",
    "e2fsprogs": "node ring: a guest's disk",
    "iputils-ping": "node ring: guests are asked whether they are there",
    "slapd": "service ring: a directory server",
    "curl": "service ring",
}
_DOCKER_PIDFILES = (Path("/var/run/docker.pid"), Path("/run/docker/containerd/containerd.pid"))
# Tried in turn: some machines have no iptables modules, some no overlay file system.
_DOCKERD_FLAGS: tuple[tuple[str, ...], ...] = (
    (),
    ("--storage-driver=vfs",),
    ("--iptables=false", "--ip6tables=false"),
    ("--iptables=false", "--ip6tables=false", "--storage-driver=vfs"),
)
_DOCKERD_TIMEOUT_S = 40.0


def install_missing(log: Path) -> None:
    """Install the Debian packages that are not there. Raises Failure where that cannot be done."""
    missing = [name for name in PACKAGES if not _is_installed(name)]
    if not missing:
        return
    command = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if shutil.which("apt-get") is None:
        raise Failure(
            "test --all installs Debian packages, and this is no Debian", advice=f"provide {missing}"
        )
    if os.geteuid() != 0:
        raise Failure(f"not installed: {', '.join(missing)}", advice=f"as root: {command}")
    with step(f"installing {len(missing)} packages"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run_logged(["apt-get", "update", "-q"], log, "apt-get update failed", env=environment)
        run_logged(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing],
            log, "installing packages failed", env=environment, advice=f"see {log}; by hand: {command}",
        )  # fmt: skip


def _is_installed(package: str) -> bool:
    if package == "docker.io" and shutil.which("dockerd") and shutil.which("docker"):
        return True  # Docker's own packages do as well
    result = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode == 0 and result.stdout == "installed"


@contextmanager
def docker_engine(log: Path) -> Iterator[None]:
    """Have a Docker engine: one that runs, or one started here and stopped again. Raises Failure."""
    if not container.why_unusable("docker"):
        yield
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise Failure(
            "no Docker engine answers", advice="start Docker, or run as root where dockerd is installed"
        )
    with step("starting dockerd"):
        process = _start_dockerd(log)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        say("  stopped the dockerd that was started for the tests")


def _start_dockerd(log: Path) -> subprocess.Popen[bytes]:
    for flags in _DOCKERD_FLAGS:
        _remove_stale_pidfiles()
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["dockerd", *flags],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _DOCKERD_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            if not container.why_unusable("docker") and _can_run_networks():
                return process
            time.sleep(0.5)
        if process.poll() is None:
            process.terminate()
            process.wait()
    raise Failure("dockerd does not start", log=tail(log), advice=f"see {log}")


def _can_run_networks() -> bool:
    result = subprocess.run(["docker", "network", "inspect", "bridge"], capture_output=True, check=False)
    return result.returncode == 0


def _remove_stale_pidfiles() -> None:
    """Pid files of a machine that was switched off: dockerd believes them, whatever that process is now."""
    for file in _DOCKER_PIDFILES:
        try:
            pid = int(file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        try:
            name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
        except OSError:
            name = ""
        if name not in ("dockerd", "containerd"):
            file.unlink(missing_ok=True)
