"""The same image under Podman, by root and by an ordinary user."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import compose, containers, quadlet
from tests.support.containers import ROOT, Engine

HOST = {"OPENNEBULA_HOST": "localhost"}
# Without systemd nobody runs Podman's timers; the tests run the check themselves.
OPTIONS = ("--no-healthcheck",)
HEALTH = ("HealthCmd", "HealthInterval", "HealthRetries", "HealthStartPeriod", "HealthTimeout")
UNIT = ROOT / "compose" / "podman" / "onebox.container"


@pytest.fixture(scope="module")
def archive(docker: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image as a file that every user may read."""
    if shutil.which("podman") is None:
        pytest.skip("left out: podman is not installed (./onebox test --all installs it)")
    folder = tmp_path_factory.mktemp("image")
    # pytest's folders are closed; the way to this one is opened for the user of the rootless test.
    for parent in (folder, *folder.parents):
        if parent.stat().st_mode & 0o011 != 0o011:
            parent.chmod(0o711)
    file = folder / "onebox.tar"
    docker.call("save", "-o", str(file), image, timeout_s=300)
    file.chmod(0o644)
    return file


def _load(podman: Engine, archive: Path) -> str:
    return podman.call("load", "-q", "-i", str(archive), timeout_s=300).strip().rpartition(" ")[2]


def _check(podman: Engine, image: str, *options: str, publish: bool) -> None:
    with containers.run(podman, image, HOST, *OPTIONS, *options, publish=publish) as container:
        ready_s = container.wait_healthy(90)
        print(f"podman, container start to healthy: {ready_s:.1f} s")
        if publish:
            assert "<NAME>oneadmin</NAME>" in container.client().call("user.info", -1)
        assert "oneadmin" in container.exec("oneuser", "list", user="oneadmin")
        container.stop()
        assert container.exit_code == 0
        assert "mariadbd: Shutdown complete" in container.logs()


@pytest.fixture
def rootful(archive: Path) -> Iterator[tuple[Engine, str]]:
    """Root's Podman, and the image in it."""
    if os.geteuid() != 0:
        pytest.skip("left out: Podman as root needs root")
    podman = Engine(("podman",))
    image = _load(podman, archive)
    try:
        yield containers.working_podman(podman.command, image), image
    finally:
        podman.try_call("rmi", "-f", image)


def test_as_root(rootful: tuple[Engine, str]) -> None:
    _check(*rootful, publish=True)


@pytest.fixture
def rootless(archive: Path, tmp_path: Path) -> Iterator[tuple[Engine, str]]:
    """An ordinary user's Podman, and the image in it; root makes a user for this and removes it."""
    if os.geteuid() != 0:
        podman = Engine(("podman",))
        image = _load(podman, archive)
        yield containers.working_podman(podman.command, image), image
        podman.try_call("rmi", "-f", image)
        return
    name = f"onebox-{secrets.token_hex(4)}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True)
    try:
        home = pwd.getpwnam(name).pw_dir
        runtime = Path(home, "run")
        runtime.mkdir(mode=0o700)
        shutil.chown(runtime, name, name)
        environment = (f"HOME={home}", f"XDG_RUNTIME_DIR={runtime}", f"--chdir={home}")
        command = ("runuser", "-u", name, "--", "env", environment[2], *environment[:2], "podman",
                   "--cgroup-manager", "cgroupfs")  # fmt: skip
        podman = Engine(command)
        image = _load(podman, archive)
        try:
            yield containers.working_podman(podman.command, image), image
        finally:
            # Removes what belongs to numbers that only this user may use.
            podman.try_call("system", "reset", "--force")
    finally:
        _end_processes_of(pwd.getpwnam(name).pw_uid)
        subprocess.run(["userdel", "--remove", name], check=True, capture_output=True)


def _end_processes_of(uid: int) -> None:
    """End what a user that the test made has left running: Podman keeps one process for its next call."""
    deadline = time.monotonic() + 60
    while pids := [int(path.name) for path in Path("/proc").glob("[0-9]*") if _owner(path) == uid]:
        assert time.monotonic() < deadline, f"processes of user {uid} do not end: {pids}"
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except FileNotFoundError:
        return None


def test_as_an_ordinary_user(rootless: tuple[Engine, str]) -> None:
    """The options of the Quadlet unit, without any real root."""
    # Published ports need /dev/net/tun, which not every machine lets its users open.
    options = quadlet.run_options(UNIT, left_out=("PublishPort", "Environment", *HEALTH))
    _check(*rootless, "--network", "none", *options, publish=False)


def test_quadlet_unit_fits_the_image(docker: Engine, image: str) -> None:
    config = json.loads(docker.call("image", "inspect", image))[0]["Config"]
    given = quadlet.entries(UNIT, "Container")
    volumes = {value.partition(":")[2] for key, value in given if key == "Volume"}
    # With a root that nobody writes, this one has to be a volume too.
    assert volumes == {*config["Volumes"], "/var/lib/one"}
    for key, value in given:
        if key == "PublishPort":
            outside, _, inside = value.partition(":")
            assert int(outside) > 1023, value
            # sshd listens where OPENNEBULA_SSH_PORT says.
            assert (
                inside in config["ExposedPorts"]
                or f"{inside}/tcp" in config["ExposedPorts"]
                or ("Environment", f"OPENNEBULA_SSH_PORT={inside}") in given
            )
    assert ("WantedBy", "multi-user.target default.target") in quadlet.entries(UNIT, "Install")


@pytest.fixture
def alone() -> Iterator[tuple[str, ...]]:
    """Words before a command that runs it in a network of its own.

    Where Docker runs too, its rules of the firewall drop what Podman's containers send each other.
    """
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL) as process:
        words = ("nsenter", "--net", "-t", str(process.pid))
        deadline = time.monotonic() + 60
        while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert time.monotonic() < deadline, "unshare made no network"
            time.sleep(0.05)
        subprocess.run([*words, "ip", "link", "set", "lo", "up"], check=True)
        try:
            yield words
        finally:
            process.kill()


def test_podman_compose(
    rootful: tuple[Engine, str], alone: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman, image = rootful
    conf = tmp_path / "containers.conf"
    conf.write_text(_as_containers_conf(podman))
    monkeypatch.setenv("CONTAINERS_CONF", str(conf))
    settings = {"OPENNEBULA_HOST": "localhost", "DEPLOY_ONED_EXTERNAL_PORT": "12633",
                "DEPLOY_MONITORD_EXTERNAL_PORT": "14124", "DEPLOY_SUNSTONE_EXTERNAL_VNC_PORT": "19876",
                "DEPLOY_SSH_EXTERNAL_PORT": "12222"}  # fmt: skip
    engine = Engine((*alone, "podman"))
    with compose.project(engine, (*alone, "podman-compose"), tmp_path, image, settings) as project:
        project.run("up", "-d")
        for service in ("opennebula-oned", "opennebula-scheduler"):
            project.container(service).wait_healthy(90)
        oned = project.container("opennebula-oned")
        oned.exec("onehost", "create", "node1", "--im", "dummy", "--vm", "dummy", user="oneadmin")
        assert "node1" in oned.exec("onehost", "list", user="oneadmin")


def _as_containers_conf(podman: Engine) -> str:
    """What the engine is called with, for a program that calls Podman itself."""
    lines = ["[network]", 'network_backend = "netavark"', "[engine]"]
    words = list(podman.command)
    if "--runtime" in words:
        lines.append(f'runtime = "{words[words.index("--runtime") + 1]}"')
    limits = [word for word in podman.run_options if "=" in word]
    return "\n".join([*lines, "[containers]", f"default_ulimits = {json.dumps(limits)}"]) + "\n"
