"""What the image offers an intruder, and what it says about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.containers import Engine


def _run(docker: Engine, image: str, script: str) -> str:
    return docker.call(
        "run", "--rm", "-i", "--network", "none", "--no-healthcheck", image, "sh", "-s", stdin=script
    )


@pytest.fixture(scope="module")
def labels(docker: Engine, image: str) -> dict[str, str]:
    """The image's labels."""
    found: dict[str, str] = json.loads(docker.call("image", "inspect", image))[0]["Config"]["Labels"]
    return found


@pytest.fixture(scope="module")
def bill(docker: Engine, image: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """The bill of materials that the label names."""
    found: dict[str, Any] = json.loads(_run(docker, image, f"cat {labels['io.onebox.sbom']}"))
    return found


def test_no_program_becomes_root(docker: Engine, image: str) -> None:
    assert _run(docker, image, "find / -xdev -type f -perm -4000; true") == ""


def test_root_may_act_as_oneadmin_but_not_the_other_way_round(docker: Engine, image: str) -> None:
    script = "sudo -u oneadmin id -un; runuser -u oneadmin -- sudo -n id -un 2>&1 || echo refused"
    assert _run(docker, image, script).splitlines()[0] == "oneadmin"
    assert _run(docker, image, script).splitlines()[-1] == "refused"


def test_labels(labels: Mapping[str, str], bill: Mapping[str, Any]) -> None:
    prefix = "org.opencontainers.image."
    for name in ("title", "description", "licenses", "version", "created", "base.name"):
        assert labels.get(prefix + name), name
    assert labels[f"{prefix}version"] == bill["metadata"]["component"]["version"]


def test_bill_of_materials_lists_every_package(docker: Engine, image: str, bill: Mapping[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    listed = {(part["purl"].partition("/")[0], part["name"]): part["version"] for part in bill["components"]}
    assert len(listed) == len(bill["components"])
    for line in _run(docker, image, "dpkg-query -W -f '${Package} ${Version}\\n'").splitlines():
        name, version = line.split()
        assert listed["pkg:deb", name] == version
    folders = _run(docker, image, "ls -d /usr/lib/one/venv/lib/python3*/site-packages/*.dist-info").split()
    names = {folder.rpartition("/")[2].split("-")[0].lower().replace("_", "-") for folder in folders}
    assert names == {name for kind, name in listed if kind == "pkg:pypi"}
    assert {"granian", "supervisor", "mysqlclient"} <= names
