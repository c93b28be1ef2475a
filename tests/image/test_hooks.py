"""Patch, hooks and batch file: what they do, and that a failing one ends the start with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import containers
from tests.support import own_files as own
from tests.support.containers import Container, Engine

HOST = {"OPENNEBULA_HOST": "localhost", "ONEBOX_DB": "sqlite"}


def test_order_and_output(own_container: Container) -> None:
    log = own_container.logs()
    marks = [
        "[apply patch] /config/onecfg_patch: 4 of 4 changes",
        "[pre-bootstrap hook] pre-bootstrap hook",
        "[configure oned]",
        "[post-bootstrap hook] post-bootstrap hook",
        "bootstrap: done",
        "opennebula-configure: endpoint of zone 0 set to https://own.example.org:2633/RPC2",
        "opennebula-configure: batch.sh: oneadmin",
    ]
    places = [log.find(mark) for mark in marks]
    assert -1 not in places, marks[places.index(-1)]
    assert places == sorted(places)
    assert "OPENNEBULA_FRONTEND_HOST: older name of OPENNEBULA_HOST" in log


def test_the_patch_is_in_the_files(own_container: Container) -> None:
    assert "0.1" in own_container.exec("grep", "CPU_COST", "/etc/one/oned.conf")
    assert (
        own_container.exec("onecfg", "get", "/etc/one/sched.conf", "SCHED_INTERVAL").strip().strip('"')
        == "10"
    )


def test_the_batch_file_has_worked(own_container: Container) -> None:
    assert "batch1" in own_container.exec("onehost", "list", user="oneadmin")


def test_hooks_get_parameters_but_no_secrets(own_container: Container) -> None:
    env = own_container.exec("cat", "/run/one/hook-env")
    assert "OPENNEBULA_HOST=localhost" in env and "TLS_CERT=/certs/cert.pem" in env
    assert "Geheim" not in env and "ONEADMIN_PASSWORD" not in env


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "OPENNEBULA_PREBOOTSTRAP_HOOK",
            "#!/bin/bash\necho begin\ncat /nowhere\nexit 3\n",
            "[pre-bootstrap hook] failed: OPENNEBULA_PREBOOTSTRAP_HOOK: /own/file, line 4 (exit) ended",
        ),
        (
            "OPENNEBULA_ONECFG_PATCH",
            "/etc/one/sched.conf set SCHED_INTERVAL 10\n/etc/one/nothing.conf set A 1\n",
            "[apply patch] failed: OPENNEBULA_ONECFG_PATCH: /own/file: ",
        ),
        (
            "OPENNEBULA_BATCH_FILE",
            "#!/bin/sh\nset -e\nid -un\nonehost create\n",
            "[opennebula-configure] failed: OPENNEBULA_BATCH_FILE: /own/file, line 4 (onehost) ended",
        ),
    ],
)
def test_a_failing_one_ends_the_container(
    docker: Engine, image: str, tmp_path: Path, name: str, text: str, expected: str
) -> None:
    own.write(tmp_path / "own/file", text, 0o755)
    volumes = {str(tmp_path / "own"): "/own:ro"}
    with containers.run(
        docker, image, HOST | {name: "/own/file"}, volumes=volumes, publish=False
    ) as container:
        assert container.wait_exit() == 1
        log = container.logs().strip()
    assert log.splitlines()[-1].startswith(f"bootstrap: {expected}")
    # Once, and nothing else was started after it.
    assert log.count("opennebula-configure: file: oneadmin") == (name == "OPENNEBULA_BATCH_FILE")
    if name != "OPENNEBULA_BATCH_FILE":
        assert "spawned: 'opennebula'" not in log
