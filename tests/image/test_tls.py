"""TLS in front of the API: self-signed, an own certificate by path and in base64, none; what is refused."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from services.common.oca import Client
from tests.support import containers
from tests.support import own_files as own
from tests.support.containers import Container, Engine
from tests.unit.bootstrap import material

HOST = {"OPENNEBULA_HOST": "localhost", "ONEBOX_DB": "sqlite"}


def _tls_port(container: Container) -> int:
    return int(container.engine.call("port", container.name, "2634/tcp").splitlines()[0].rpartition(":")[2])


def _served(container: Container) -> str:
    return ssl.get_server_certificate(("127.0.0.1", _tls_port(container)), timeout=20)


def _checked(docker: Engine, image: str, parameters: dict[str, str], *options: str) -> str:
    """What ``bootstrap --check`` says; nothing is started."""
    arguments = [word for name, value in parameters.items() for word in ("-e", f"{name}={value}")]
    result = docker.try_call(
        "run",
        "--rm",
        "--network",
        "none",
        "--no-healthcheck",
        *options,
        *arguments,
        image,
        "bootstrap",
        "--check",
    )
    return f"{result.returncode} {result.stdout}{result.stderr}"


def test_self_signed_by_default(plain_container: Container, tmp_path: Path) -> None:
    """A client that is given the certificate can check it, name included."""
    pem = tmp_path / "cert.pem"
    pem.write_text(_served(plain_container))
    url = f"https://localhost:{_tls_port(plain_container)}/ready"
    context = ssl.create_default_context(cafile=str(pem))
    with urllib.request.urlopen(url, context=context, timeout=20) as reply:
        assert reply.status == 200
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(url, timeout=20)


def test_calls_go_through(plain_container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_DISABLE_SSL_VERIFY", "1")
    endpoint = f"https://localhost:{_tls_port(plain_container)}/RPC2"
    with Client(endpoint, plain_container.session) as client:
        assert "<NAME>oneadmin</NAME>" in client.call("user.info", -1)
        assert "<HOST_POOL" in client.call("hostpool.info")


def test_old_protocols_are_refused(plain_container: Container) -> None:
    asked = "openssl s_client -connect 127.0.0.1:2634 -tls1_1 </dev/null 2>&1; true"
    assert "Cipher is (NONE)" in plain_container.exec("sh", "-c", asked)


def test_own_certificate_by_path(own_container: Container, own_files: Path) -> None:
    assert _served(own_container).strip() == (own_files / "certs/cert.pem").read_text().strip()
    # Readable for who needs it, and nobody else.
    assert (
        own_container.exec("stat", "-c", "%U:%G %a", "/srv/one/secret-tls/cert.key").strip()
        == "root:stunnel 640"
    )


def test_own_certificate_in_base64_and_its_volume(docker: Engine, image: str) -> None:
    certificate, key = material.pair(name="packed.example.org")
    packed = {"TLS_CERT_BASE64": material.packed(certificate), "TLS_KEY_BASE64": material.packed(key)}
    with containers.volumes(docker, "/srv/one") as volumes:
        options = ("-p", "127.0.0.1::2634")
        with containers.run(docker, image, HOST | packed, *options, volumes=volumes) as container:
            container.wait_healthy()
            assert _served(container).strip().encode() == certificate.strip()
        # Without the parameters it stays.
        [name] = volumes
        said = docker.call(
            "run", "--rm", "--network", "none", "--no-healthcheck", "-v", f"{name}:/srv/one",
            "-e", "OPENNEBULA_HOST=x", image, "bootstrap", "--explain",
        )  # fmt: skip
        assert "the certificate that was given before, for packed.example.org" in said


def test_without_the_proxy(docker: Engine, image: str) -> None:
    said = docker.call(
        "run", "--rm", "--network", "none", "--no-healthcheck", "-e", "OPENNEBULA_HOST=x",
        "-e", "TLS_PROXY_ENABLED=no", image, "bootstrap", "--explain",
    )  # fmt: skip
    assert "off, TLS_PROXY_ENABLED=no" in said
    assert "stunnel.conf" not in said


def test_what_cannot_be_used_is_refused(docker: Engine, image: str, tmp_path: Path) -> None:
    certificate, key = material.pair(days=-2)
    own.write(tmp_path / "certs/cert.pem", certificate.decode())
    own.write(tmp_path / "certs/cert.key", key.decode())
    parameters = HOST | {"TLS_CERT": "/certs/cert.pem", "TLS_KEY": "/certs/cert.key"}
    volumes = {str(tmp_path / "certs"): "/certs:ro"}
    with containers.run(docker, image, parameters, volumes=volumes, publish=False) as container:
        assert container.wait_exit() == 1
        logs = container.logs()
    last = logs.strip().splitlines()[-1]
    assert last.startswith(
        "bootstrap: [check parameters] failed: TLS_CERT and TLS_KEY: the certificate expired on"
    )
    assert "spawned: 'opennebula'" not in logs
    # Key and certificate of different pairs.
    own.write(tmp_path / "certs/cert.pem", material.pair()[0].decode())
    said = _checked(docker, image, parameters, "-v", f"{tmp_path / 'certs'}:/certs:ro")
    assert said.startswith("1 ") and "the key does not belong to the certificate" in said
