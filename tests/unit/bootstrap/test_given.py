"""What parameters point to: everything that cannot be used is found before anything starts, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bootstrap import given, params, ssh_keys, tls
from tests.unit.bootstrap import material

HOST = {"OPENNEBULA_HOST": "cloud.example.org"}
ED25519 = ssh_keys.generate("ed25519")


def faults(environ: dict[str, str]) -> list[str]:
    """What is reported for these parameters."""
    try:
        params.read(HOST | environ, further=given.faults)
    except params.ParameterFaults as found:
        return found.faults
    return []


def written(folder: Path, name: str, content: bytes | str, mode: int = 0o600) -> str:
    """A file; its path."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)
    return str(file)


def by_path(folder: Path, certificate: bytes, key: bytes) -> dict[str, str]:
    return {
        "TLS_CERT": written(folder, "cert.pem", certificate),
        "TLS_KEY": written(folder, "cert.key", key),
    }


def test_an_own_certificate_by_path_and_in_base64(tmp_path: Path) -> None:
    certificate, key = material.pair()
    path = by_path(tmp_path, certificate, key)
    encoded = {"TLS_CERT_BASE64": material.packed(certificate), "TLS_KEY_BASE64": material.packed(key)}
    for environ in (path, encoded):
        found = given.tls_pair(params.read(HOST | environ, further=given.faults))
        assert found is not None and found.names == ("own.example.org",) and not found.is_self_made
        assert "PRIVATE" not in repr(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"days": -1}, "the certificate expired on 20"),
        ({"starts_in_days": 5}, "the certificate is valid from 20"),
    ],
)
def test_a_certificate_outside_its_time(tmp_path: Path, options: dict[str, float], message: str) -> None:
    [fault] = faults(by_path(tmp_path, *material.pair(**options)))  # type: ignore[arg-type]
    assert fault.startswith("TLS_CERT and TLS_KEY: ") and message in fault


def test_key_and_certificate_of_different_pairs(tmp_path: Path) -> None:
    [fault] = faults(by_path(tmp_path, material.pair()[0], material.pair()[1]))
    assert fault == "TLS_CERT and TLS_KEY: the key does not belong to the certificate"


@pytest.mark.parametrize("what", ["cert", "key"])
def test_something_that_is_no_pem(tmp_path: Path, what: str) -> None:
    certificate, key = material.pair()
    parts = (b"junk", key) if what == "cert" else (certificate, b"junk")
    [fault] = faults(by_path(tmp_path, *parts))
    assert "cannot be read, expected PEM" in fault and "junk" not in fault


def test_a_key_with_a_passphrase(tmp_path: Path) -> None:
    certificate, _ = material.pair()
    locked = material.key_text(ec.generate_private_key(ec.SECP256R1()), b"secret")
    [fault] = faults(by_path(tmp_path, certificate, locked))
    assert "protected by a passphrase" in fault


def test_half_a_pair_and_too_much(tmp_path: Path) -> None:
    certificate, key = material.pair()
    path = by_path(tmp_path, certificate, key)
    assert faults({"TLS_CERT": path["TLS_CERT"]}) == ["TLS_CERT: given without TLS_KEY, expected both"]
    assert faults({"TLS_KEY": path["TLS_KEY"]}) == ["TLS_KEY: given without TLS_CERT, expected both"]
    assert faults(path | {"TLS_CERT_BASE64": material.packed(certificate)}) == [
        "TLS_CERT and TLS_CERT_BASE64: given both, expected one of them"
    ]


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    none = str(tmp_path / "none")
    assert faults({"TLS_CERT": none, "TLS_KEY": none}) == [
        f"TLS_CERT: cannot read {none}: No such file or directory"
    ]
    assert faults({"OPENNEBULA_ONECFG_PATCH": none}) == [
        f"OPENNEBULA_ONECFG_PATCH: cannot read {none}: No such file or directory"
    ]


def test_an_own_ssh_key_with_or_without_its_public_part(tmp_path: Path) -> None:
    private = written(tmp_path, "id", ED25519.private)
    public = written(tmp_path, "id.pub", ED25519.public + " me@here\n")
    alone = given.ssh_pair(params.read(HOST | {"ONEADMIN_SSH_PRIVKEY": private}))
    both = given.ssh_pair(
        params.read(HOST | {"ONEADMIN_SSH_PRIVKEY": private, "ONEADMIN_SSH_PUBKEY": public})
    )
    assert alone == ED25519 and both is not None and both.public == ED25519.public + " me@here"
    encoded = {
        "ONEADMIN_SSH_PRIVKEY_BASE64": material.packed(ED25519.private.encode()),
        "ONEADMIN_SSH_PUBKEY_BASE64": material.packed(ED25519.public.encode()),
    }
    assert given.ssh_pair(params.read(HOST | encoded, further=given.faults)) == ED25519


def test_the_default_place_need_not_be_there() -> None:
    assert given.ssh_pair(params.read(HOST)) is None


def test_ssh_keys_that_do_not_fit(tmp_path: Path) -> None:
    private = written(tmp_path, "id", ED25519.private)
    other = written(tmp_path, "other.pub", ssh_keys.generate("ecdsa").public)
    junk = written(tmp_path, "junk", "junk")
    assert faults({"ONEADMIN_SSH_PRIVKEY": private, "ONEADMIN_SSH_PUBKEY": other}) == [
        "ONEADMIN_SSH_PRIVKEY and ONEADMIN_SSH_PUBKEY: the public key does not belong to the private one"
    ]
    [fault] = faults({"ONEADMIN_SSH_PRIVKEY": junk})
    assert fault == ("ONEADMIN_SSH_PRIVKEY: the private key cannot be read, expected OpenSSH's format or PEM")
    [fault] = faults({"ONEADMIN_SSH_PRIVKEY": private, "ONEADMIN_SSH_PUBKEY": junk})
    assert "the public key cannot be read" in fault
    [fault] = faults({"ONEADMIN_SSH_PUBKEY": other})
    assert fault == "ONEADMIN_SSH_PUBKEY: given without ONEADMIN_SSH_PRIVKEY, expected both"


@pytest.mark.parametrize(
    "name", ["OPENNEBULA_PREBOOTSTRAP_HOOK", "OPENNEBULA_POSTBOOTSTRAP_HOOK", "OPENNEBULA_BATCH_FILE"]
)
def test_scripts_must_be_there_and_executable(tmp_path: Path, name: str) -> None:
    good = written(tmp_path, "good.sh", "#!/bin/sh\n", 0o755)
    plain = written(tmp_path, "plain.sh", "#!/bin/sh\n", 0o644)
    assert faults({name: good}) == []
    assert faults({name: plain}) == [f"{name}: {plain} is not executable (chmod +x)"]
    assert faults({name: str(tmp_path)}) == [
        f"{name}: expected an executable file at {tmp_path}, found a directory"
    ]


def test_all_kinds_of_faults_are_reported_together(tmp_path: Path) -> None:
    none = str(tmp_path / "none")
    found = faults({
        "MYSQL_PORT": "0", "TLS_CERT": none, "ONEADMIN_SSH_PUBKEY": none, "OPENNEBULA_BATCH_FILE": none,
        "ONEADMIN_PASWORD": "x",
    })  # fmt: skip
    assert len(found) == 5


def test_what_has_a_fault_already_is_not_looked_at() -> None:
    assert len(faults({"TLS_CERT": "relative", "TLS_KEY": "/nowhere"})) == 1


def test_a_container_without_these_services_does_not_read_them(tmp_path: Path) -> None:
    environ = {"OPENNEBULA_SERVICE": "scheduler", "ONED_HOST": "oned", "TLS_CERT": str(tmp_path / "none")}
    assert faults(environ) == []


def test_self_signed_certificates() -> None:
    made = tls.self_signed(["cloud.example.org", "*.example.org", "10.0.0.1", "::1"], 10)
    assert made.is_self_made and made.names == ("cloud.example.org", "*.example.org", "10.0.0.1", "::1")
    assert 9.9 < made.days_left() <= 10
    assert tls.check(made.certificate.encode(), made.key.encode()) == made
    assert tls.self_signed(["a" * 63 + ".example.org"], 1).names == ("a" * 63 + ".example.org",)
