"""Monitoring and the life-cycle at the same time: only what happened behind our back is news."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from services.common.oca import Client, OneError
from tests.service.conftest import mysql_section
from tests.support import crash
from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(240)
RUNNING, POWEROFF, UNKNOWN = ("3", "3"), ("8", "0"), ("3", "16")
BY_MONITORING = "44"


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def frontend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A front-end that asks its hosts every second."""
    folder: Path = tmp_path_factory.mktemp("watched")
    often = "MONITORING_INTERVAL_HOST = 1"
    if request.param == "mysql":
        section = mysql_section(request.getfixturevalue("mariadb"), f"one_{folder.name}")
        running = Frontend(folder, section, often)
    else:
        running = Frontend(folder, extra_conf=often)
    conf = folder / "etc/oned.conf"
    stock = [
        line for line in conf.read_text().splitlines() if not line.startswith("MONITORING_INTERVAL_HOST ")
    ]
    conf.write_text("\n".join([often, *stock]) + "\n")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def prepared(frontend: Frontend) -> tuple[list[int], int]:
    return crash.prepare(frontend.client(), "watched")


def condition(client: Client, vm_id: int) -> tuple[str, str]:
    found = ElementTree.fromstring(client.call("vm.info", vm_id, False))
    return found.findtext("STATE", ""), found.findtext("LCM_STATE", "")


def run(client: Client, template: int, count: int) -> list[int]:
    made = [client.call("template.instantiate", template, "", False, "", False) for _ in range(count)]
    crash.wait(lambda: all(condition(client, vm_id) == RUNNING for vm_id in made), "RUNNING")
    return made


def test_what_we_do_ourselves_is_no_news(frontend: Frontend, prepared: tuple[list[int], int]) -> None:
    client = frontend.client()
    hosts, template = prepared
    ids = run(client, template, 12)
    ends = time.monotonic() + 15
    turn = 0
    while time.monotonic() < ends:
        for vm_id in ids:
            turn += 1
            try:
                if condition(client, vm_id) == POWEROFF:
                    client.call("vm.action", "resume", vm_id)
                elif turn % 3:
                    client.call("vm.action", "poweroff-hard", vm_id)
                else:
                    client.call("vm.migrate", vm_id, hosts[turn % 2], True, False, -1, 0)
            except OneError:
                continue  # it is on its way, or there already
    crash.wait(lambda: all(condition(client, vm_id) in (RUNNING, POWEROFF) for vm_id in ids), "at rest", 30)
    for vm_id in ids:
        document = ElementTree.fromstring(client.call("vm.info", vm_id, False))
        actions = [found.text for found in document.findall("HISTORY_RECORDS/HISTORY/ACTION")]
        assert BY_MONITORING not in actions, f"VM {vm_id}: {actions}"
        assert document.find("USER_TEMPLATE/ERROR") is None
    crash.end_all(client, ids, hosts)


def test_what_happens_behind_our_back_is_found(frontend: Frontend, prepared: tuple[list[int], int]) -> None:
    client = frontend.client()
    hosts, template = prepared
    killed, fine = run(client, template, 2)
    time.sleep(2)
    (domain,) = (frontend.folder / "var/dummy").glob(f"*/one-{killed}")
    text = domain.read_text()
    domain.unlink()
    crash.wait(lambda: condition(client, killed) == POWEROFF, "POWEROFF", 20)
    assert condition(client, fine) == RUNNING
    time.sleep(2)
    domain.write_text(text)
    crash.wait(lambda: condition(client, killed) == RUNNING, "found again", 20)
    dummyrc = frontend.folder / "var/remotes/etc/dummy/dummyrc"
    dummyrc.write_text("FAIL=im/monitor\n")
    crash.wait(lambda: condition(client, killed) == condition(client, fine) == UNKNOWN, "UNKNOWN", 20)
    assert "news of its machine on host" in client.call("vm.waiting", fine)
    dummyrc.unlink()
    crash.wait(lambda: condition(client, killed) == condition(client, fine) == RUNNING, "back again", 20)
    crash.end_all(client, [killed, fine], hosts)
    assert frontend.run("onedb", "fsck").returncode == 0
