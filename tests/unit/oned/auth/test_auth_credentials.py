"""The credential files of a fresh zone."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from services.oned.auth import password
from services.oned.auth.credentials import SERVICE_FILES, CredentialsError, first_users

SECRET = "pa55word"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one_auth."""
    made = tmp_path / ".one"
    made.mkdir(mode=0o700)
    (made / "one_auth").write_text(f"oneadmin:{SECRET}\n")
    return made


def test_the_first_users_and_the_files_of_the_services(folder: Path) -> None:
    oneadmin, serveradmin = first_users(folder)
    assert (oneadmin.name, oneadmin.driver) == ("oneadmin", "core")
    assert password.prove(oneadmin.password, SECRET) and SECRET not in oneadmin.password
    assert (serveradmin.name, serveradmin.driver) == ("serveradmin", "server_cipher")
    texts = {(folder / name).read_text() for name in SERVICE_FILES}
    assert len(texts) == 1
    name, _, secret = texts.pop().strip().partition(":")
    assert name == "serveradmin" and len(secret) == 64
    assert serveradmin.password == password.digest(secret)
    assert all(stat.S_IMODE((folder / name).stat().st_mode) == 0o600 for name in SERVICE_FILES)
    assert sorted(file.name for file in folder.iterdir()) == sorted([*SERVICE_FILES, "one_auth"])
    assert oneadmin.token_password != serveradmin.token_password


def test_a_second_start_keeps_the_password(folder: Path) -> None:
    before = first_users(folder)[1].password
    (folder / SERVICE_FILES[2]).unlink()  # as after a start that was cut short
    assert first_users(folder)[1].password == before
    assert (folder / SERVICE_FILES[2]).read_text() == (folder / SERVICE_FILES[0]).read_text()


def test_starts_at_the_same_time_agree(folder: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(first_users(folder)[1].password)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_files_of_another_zone_are_not_overwritten(folder: Path) -> None:
    (folder / "ec2_auth").write_text("serveradmin:other\n")
    with pytest.raises(CredentialsError, match="ec2_auth: is of another zone"):
        first_users(folder)
    assert (folder / "ec2_auth").read_text() == "serveradmin:other\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "one_auth: cannot be read"),
        ("", "must be of the form name:password"),
        (SECRET, "must be of the form name:password"),
        ("oneadmin:", "Invalid password, it cannot be empty"),
        (f"oneadmin:{SECRET} {SECRET}", "white space is not allowed"),
        (f"one admin:{SECRET}", "char ' ' is not allowed"),
        (f":{SECRET}", "it cannot be empty"),
        (f"serveradmin:{SECRET}", "the name serveradmin is reserved"),
    ],
)
def test_a_one_auth_that_cannot_be_used(folder: Path, text: str | None, expected: str) -> None:
    file = folder / "one_auth"
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(CredentialsError) as refused:
        first_users(folder)
    assert expected in str(refused.value) and str(folder) in str(refused.value)
    assert SECRET not in str(refused.value)
    assert not any((folder / name).exists() for name in SERVICE_FILES)


def test_secrets_are_not_shown(folder: Path) -> None:
    shown = repr(first_users(folder))
    assert "oneadmin" in shown
    assert password.digest(SECRET) not in shown
    assert (folder / SERVICE_FILES[0]).read_text().strip().partition(":")[2] not in shown
