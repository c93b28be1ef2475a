"""The image built from this tree, and a healthy all-in-one container of it for the tests of a module."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import containers
from tests.support import own_files as own
from tests.support.containers import Container, Engine

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "image: needs a real container engine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder carries the marker ``image``."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("image")


@pytest.fixture(scope="session")
def docker() -> Engine:
    """The Docker engine of this machine."""
    engine = containers.docker()
    if engine is None:
        pytest.skip("left out: no Docker engine answers (./onebox test --all starts one)")
    return engine


@pytest.fixture(scope="session")
def image(docker: Engine) -> str:
    """The image of this tree."""
    return containers.build(docker)


@pytest.fixture(scope="session")
def given_secrets() -> dict[str, str]:
    """Passwords that a test gives to a container and then looks for where they must not be."""
    names = ("ONEADMIN_PASSWORD", "MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD")
    return {name: secrets.token_hex(12) for name in names}


@pytest.fixture(scope="module")
def frontend_container(docker: Engine, image: str, given_secrets: dict[str, str]) -> Iterator[Container]:
    """A healthy all-in-one front-end: ``endpoint``, ``session``, ``client()``, ``exec()``."""
    parameters = {"OPENNEBULA_HOST": "localhost", **given_secrets}
    with containers.run(docker, image, parameters) as container:
        container.wait_healthy()
        yield container


@pytest.fixture(scope="session")
def own_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator's folders certs, ssh and config."""
    base = tmp_path_factory.mktemp("own")
    own.folders(base)
    return base


@pytest.fixture(scope="session")
def own_container(docker: Engine, image: str, own_files: Path) -> Iterator[Container]:
    """A container with an operator's own certificate, SSH key and port, patch, hooks and batch file."""
    parameters = {
        "OPENNEBULA_FRONTEND_HOST": "localhost",
        "OPENNEBULA_SSH_PORT": "2222",
        "ONEBOX_DB": "sqlite",
        "ONEBOX_ENDPOINT": "https://own.example.org:2633/RPC2",
        "TLS_CERT": "/certs/cert.pem",
        "TLS_KEY": "/certs/cert.key",
        "OPENNEBULA_ONECFG_PATCH": "/config/onecfg_patch",
        "OPENNEBULA_PREBOOTSTRAP_HOOK": "/config/pre-bootstrap-hook.sh",
        "OPENNEBULA_POSTBOOTSTRAP_HOOK": "/config/post-bootstrap-hook.sh",
        "OPENNEBULA_BATCH_FILE": "/config/batch.sh",
        "ONEADMIN_PASSWORD": "Geheim-Wort.9",
    }
    mounts = own.mounts(own_files)
    with containers.run(docker, image, parameters, "-p", "127.0.0.1::2634", volumes=mounts) as container:
        container.wait_healthy()
        yield container


@pytest.fixture(scope="session")
def plain_container(docker: Engine, image: str) -> Iterator[Container]:
    """A container with nothing of its operator's own, under the first guides' older names."""
    parameters = {
        "OPENNEBULA_FRONTEND_HOST": "localhost",
        "OPENNEBULA_FRONTEND_SSH_HOST": "localhost",
        "ONEADMIN_PASSWORD": "changeme123",
        "DIND_ENABLED": "yes",
        "ONEBOX_DB": "sqlite",
    }
    with containers.run(docker, image, parameters, "-p", "127.0.0.1::2634") as container:
        container.wait_healthy()
        yield container
