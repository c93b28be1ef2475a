"""The x509 driver: certificates of trusted authorities, chains, proxies, revocation."""

from __future__ import annotations

import datetime
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.common import paths
from services.oned.auth.drivers import Context, Login, Refusal, x509
from tests.support import tokens
from tests.support.core import Core
from tests.support.tokens import Authority, openssl, x509_token

SUBJECT = "/O=Test/CN=Ann Example"
PASSWORD = r"/O=Test/CN=Ann\20Example"


class Place:
    """A trusted authority, and users' keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = Authority(folder / "ca")
        self.key, self.other = tokens.new_key(folder / "key"), tokens.new_key(folder / "other")
        self.certificate = self.ca.issue(self.key, SUBJECT)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Keys and certificates for all tests."""
    return Place(tmp_path_factory.mktemp("x509"))


@pytest.fixture(autouse=True)
def trusted(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of trusted certificates, with the authority in it."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    folder = paths.etc() / "auth/certificates"
    place.ca.trust(folder)
    return folder


def ask(secret: str, password: str = PASSWORD, name: str = "ann") -> float | None:
    """Until when the driver accepts a login. Raises Refusal."""
    return x509.authenticate(Login(name, password, secret), Context(None, lambda _: {})).until  # type: ignore[arg-type]


def refusal(secret: str, password: str = PASSWORD, name: str = "ann") -> str:
    """Why the driver refuses a login."""
    with pytest.raises(Refusal) as refused:
        ask(secret, password, name)
    return str(refused.value)


def test_a_trusted_certificate(place: Place, core: Core) -> None:
    place.ca.trust(paths.etc() / "auth/certificates")
    uid = core.call("user.allocate", "ann", f"/CN=old|{PASSWORD}", "x509", [])
    token = x509_token(place.key, "ann", [place.certificate])
    assert f"<ID>{uid}</ID>" in core.zone.value("one.user.info", -1, session=f"ann:{token}")


def test_subjects_are_written_as_openssl_does(place: Place) -> None:
    subject = "/C=ES/ST=M/L=x/O=A + B/OU=u/CN=\u00c1nn/emailAddress=a@b.c"
    text = openssl("req", "-new", "-key", str(place.key), "-utf8", "-subj", subject)
    pem = openssl(
        "x509", "-req", "-CA", str(place.ca.certificate), "-CAkey", str(place.ca.key), "-set_serial", "7",
        stdin=text,
    )  # fmt: skip
    compat = openssl("x509", "-noout", "-subject", "-nameopt", "compat", stdin=pem).decode().strip()
    expected = compat.partition("subject=")[2].strip().replace(" ", "\\20")
    assert x509.subject(x509.certificate(pem)) == expected


@pytest.mark.parametrize(
    ("name", "password", "reason"),
    [
        ("ben", PASSWORD, "another user"),
        ("ann", "/O=Test/CN=Ann", "stored subject"),
        ("ann", "", "stored subject"),
        ("ann", SUBJECT, "stored subject"),
    ],
)
def test_other_users(place: Place, name: str, password: str, reason: str) -> None:
    assert reason in refusal(x509_token(place.key, "ann", [place.certificate]), password, name)


def test_broken_secrets(place: Place) -> None:
    expired = x509_token(place.key, "ann", [place.certificate], valid_s=-1)
    assert "expired" in refusal(expired)
    assert "user's key" in refusal(x509_token(place.other, "ann", [place.certificate]))
    assert "0 certificates" in refusal(x509_token(place.key, "ann", []))
    assert "not PEM" in refusal(x509_token(place.key, "ann", ["x"]))
    assert "base64" in refusal("%")
    assert "11 certificates" in refusal(x509_token(place.key, "ann", [place.certificate] * 11))


def test_only_trusted_authorities_count(place: Place, trusted: Path, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")  # of the same name as the trusted one
    forged = stranger.issue(place.other, SUBJECT)
    assert "no trusted authority" in refusal(x509_token(place.other, "ann", [forged]))
    root = stranger.certificate.read_text()
    assert "no trusted authority" in refusal(x509_token(place.other, "ann", [forged, root]))
    assert "no trusted authority" in refusal(x509_token(stranger.key, "ann", [root]), "/O=Test/CN=Test\\20CA")
    (trusted / "notes.pem").write_text(root)  # names that mean nothing are not read
    assert "no trusted authority" in refusal(x509_token(place.other, "ann", [forged]))


def test_certificates_that_do_not_hold_now(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    token = x509_token(place.key, "ann", [place.certificate], valid_s=90 * 86400)
    until = ask(token)
    assert until is not None and until < time.time() + 31 * 86400  # no longer than the certificate

    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=40)
    clock = SimpleNamespace(datetime=SimpleNamespace(now=lambda zone: later), UTC=datetime.UTC)
    monkeypatch.setattr(x509, "datetime", clock)
    assert "does not hold now" in refusal(token)


def test_a_user_cannot_issue_certificates_for_others(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "ann.pem"
    file.write_text(place.certificate)
    bens = tokens.issue(file, place.key, place.other, "/O=Test/CN=Ben")
    token = x509_token(place.other, "ben", [bens, place.certificate])
    assert "may not issue" in refusal(token, "/O=Test/CN=Ben", "ben")


def test_proxies_stand_for_their_user_only(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "ann.pem"
    file.write_text(place.certificate)
    proxy = tokens.issue(file, place.key, place.other, f"{SUBJECT}/CN=proxy")
    token = x509_token(place.other, "ann", [proxy, place.certificate])
    assert ask(token) is not None
    assert "stored subject" in refusal(token, PASSWORD + "/CN=proxy")
    assert "was not issued" in refusal(x509_token(place.key, "ann", [place.certificate, proxy]))


def test_intermediate_authorities(place: Place, trusted: Path, tmp_path: Path) -> None:
    key = tokens.new_key(tmp_path / "sub.key")
    request = openssl("req", "-new", "-key", str(key), "-subj", "/O=Test/CN=Sub CA")
    (tmp_path / "ext").write_text("basicConstraints=critical,CA:TRUE\n")
    sub = openssl(
        "x509", "-req", "-CA", str(place.ca.certificate), "-CAkey", str(place.ca.key), "-set_serial", "9",
        "-extfile", str(tmp_path / "ext"), stdin=request,
    )  # fmt: skip
    (tmp_path / "sub.pem").write_bytes(sub)
    leaf = tokens.issue(tmp_path / "sub.pem", key, place.other, SUBJECT)
    assert ask(x509_token(place.other, "ann", [leaf, sub.decode()])) is not None
    assert "no trusted authority" in refusal(x509_token(place.other, "ann", [leaf]))
    (trusted / "0badcafe.0").write_bytes(sub)
    assert ask(x509_token(place.other, "ann", [leaf])) is not None


def revoke(place: Place, folder: Path, serials: list[int]) -> None:
    """Put a revocation list of the authority into the folder of trusted certificates."""
    work = place.folder / "db"
    work.mkdir(exist_ok=True)
    (work / "index").write_text(
        "".join(f"R\t300101000000Z\t260101000000Z\t{n:02X}\tunknown\t/CN=x\n" for n in serials)
    )
    (work / "conf").write_text(
        f"[ca]\ndefault_ca=c\n[c]\ndatabase={work}/index\ndefault_md=sha256\ndefault_crl_days=30\n"
    )
    crl = openssl(
        "ca", "-gencrl", "-config", str(work / "conf"), "-cert", str(place.ca.certificate), "-keyfile",
        str(place.ca.key),
    )  # fmt: skip
    (folder / f"{place.ca.hash}.r0").write_bytes(crl)


def test_revoked_certificates(place: Place, trusted: Path) -> None:
    token = x509_token(place.key, "ann", [place.certificate])
    (paths.etc() / "auth/x509_auth.conf").write_text(":check_crl: true\n")
    assert "no revocation list" in refusal(token)
    revoke(place, trusted, [5])
    assert ask(token) is not None
    revoke(place, trusted, [5, 1])
    assert "revoked" in refusal(token)
    (paths.etc() / "auth/x509_auth.conf").unlink()
    assert "revoked" in refusal(token)  # a list that is there counts in any case
    (trusted / f"{place.ca.hash}.r0").write_text("damaged")
    assert "not in PEM form" in refusal(token)


def test_another_folder_of_authorities(place: Place, trusted: Path, tmp_path: Path) -> None:
    token = x509_token(place.key, "ann", [place.certificate])
    (paths.etc() / "auth/x509_auth.conf").write_text(f":ca_dir: {tmp_path}/none\n")
    assert "No such file" in refusal(token)
    place.ca.trust(tmp_path / "none")
    assert ask(token) is not None
