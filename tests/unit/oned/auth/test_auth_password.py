"""How core passwords are stored, proved, remembered, and brought into today's form."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from services.oned.auth import outside, password
from services.oned.errors import AuthenticationError, OneError
from services.oned.model.user import LoginToken, User
from services.oned.store import Store, Tx
from tests.support.core import Core, Refused


def stored(core: Core, uid: int) -> str:
    """What a user's document holds as password."""
    return core.info("user.info", uid).findtext("PASSWORD") or ""


def put(core: Core, uid: int, text: str) -> None:
    """Put a password into a user's document behind the API's back, with a login token."""

    def run(tx: Tx) -> None:
        user = User.load(tx, uid)
        user.password = text
        user.tokens = [LoginToken("aaa", -1, -1)]
        user.save(tx)

    core.store.run(run)


# -- forms -------------------------------------------------------------------------------------------------
def test_new_passwords_are_stored_in_a_slow_and_salted_form() -> None:
    one, other = password.hashed("s"), password.hashed("s")
    assert one.startswith("$scrypt$ln=") and one != other
    assert password.prove(one, "s") and not password.prove(one, "S")


def test_the_cost_in_production() -> None:
    # OWASP's advice for scrypt with 16 MiB; the tests lower COST, not its default.
    text = (password.__doc__ or "").partition("``")[2].partition("``")[0]
    assert text.startswith("$scrypt$ln=14,r=8,p=5$")


@pytest.mark.parametrize("name", ["sha256", "sha1"])
def test_digests_of_older_releases_are_accepted(name: str) -> None:
    digest = hashlib.new(name, b"s").hexdigest()
    assert password.known(digest, "s") is True and password.known(digest, "x") is False
    assert password.prove(digest, "s") and not password.is_current(digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "$scrypt$",
        "$scrypt$ln=30,r=8,p=1$AAAA$AAAA",
        "$scrypt$ln=4,r=99,p=1$AAAA$AAAA",
        "$scrypt$ln=x",
    ],
)
def test_a_text_of_no_known_form_proves_nobody(text: str) -> None:
    started = time.monotonic()
    assert not password.prove(text, "") and not password.prove(text, "s")
    assert time.monotonic() - started < 5


def test_what_was_proved_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    text = password.hashed("right")
    assert password.known(text, "right") is True
    assert password.known(text, "wrong") is None
    assert not password.prove(text, "wrong")
    monkeypatch.setattr(hashlib, "scrypt", None)  # would fail if it was called
    assert password.known(text, "wrong") is False
    assert password.known(text, "right") is True


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "_REMEMBERED_MAX", 3)
    text = password.hashed("right")
    for guess in "abcdefgh":
        password.prove(text, guess)
    assert len(password._disproved) <= 3
    assert password.known(text, "right") is True  # guesses do not push it out


# -- in calls ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["sha256", "sha1"])
def test_an_old_form_is_replaced_at_the_next_login(core: Core, name: str) -> None:
    uid = core.add_user("ann", 1)
    put(core, uid, hashlib.new(name, b"pw-ann").hexdigest())
    with pytest.raises(Refused):  # the login counts, whatever becomes of the call
        core.call("user.delete", uid, user="ann")
    assert password.is_current(stored(core, uid))
    assert core.call("user.info", -1, user="ann")
    assert "LOGIN_TOKEN" in core.call("user.info", uid)


def test_a_wrong_password_replaces_nothing(core: Core) -> None:
    uid = core.add_user("ann", 1)
    digest = hashlib.sha256(b"other").hexdigest()
    put(core, uid, digest)
    with pytest.raises(Refused):
        core.call("user.info", -1, user="ann")
    assert stored(core, uid) == digest


def test_the_cipher_drivers_users_keep_their_form(core: Core) -> None:
    assert len(stored(core, 1)) == 64
    uid = core.call("user.allocate", "srv", "a" * 64, "server_cipher", [])
    assert stored(core, uid) == "a" * 64
    core.call("user.passwd", uid, "b" * 64)
    assert stored(core, uid) == "b" * 64


def test_a_changed_driver_says_how_the_password_is_kept(core: Core) -> None:
    uid = core.add_user("ann", 1)
    core.call("user.chauth", uid, "ssh", "key")
    assert stored(core, uid) == "key"
    core.call("user.chauth", uid, "core", "pw-ann")
    assert password.is_current(stored(core, uid))
    assert core.call("user.info", -1, user="ann")


@contextmanager
def slow_work_seen(core: Core, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether each slow computation found the database free for another writer."""
    seen: list[bool] = []
    scrypt = hashlib.scrypt

    def spied(*args: Any, **kwargs: Any) -> bytes:
        free = threading.Event()

        def write() -> None:
            core.store.run(lambda tx: tx.run("UPDATE pool_control SET last_oid = last_oid"))
            free.set()
            core.store.close()

        writer = threading.Thread(target=write)
        writer.start()
        seen.append(free.wait(2.0))
        writer.join()
        return scrypt(*args, **kwargs)

    monkeypatch.setattr(hashlib, "scrypt", spied)
    yield seen


def test_slow_work_holds_no_transaction(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow_work_seen(core, monkeypatch) as seen:
        uid = core.add_user("ann", 1)
        core.call("user.passwd", uid, "pw-ann")
        password._proved.clear()  # as in a process that has just started
        core.call("user.update", uid, "A=1", 1, user="ann")
        core.zone.refusal("one.user.info", -1, session="ann:wrong")
    assert len(seen) == 4 and all(seen)


# -- work outside of transactions --------------------------------------------------------------------------
def test_an_attempt_starts_anew_with_what_it_asked_for(core: Core) -> None:
    attempts = []

    def attempt() -> int:
        attempts.append(1)
        return outside.value("a", lambda _: 20) + outside.value("b", lambda _: 22)

    assert outside.complete(core.store, attempt) == 42
    assert len(attempts) == 3
    with pytest.raises(outside.Pending):
        outside.value("a", lambda _: 1)  # nothing is left over for the next call


def test_conditions_that_keep_changing_end(core: Core) -> None:
    with pytest.raises(OneError):
        outside.complete(core.store, lambda: outside.value(object(), lambda _: 1))


def test_failing_work_fails_the_call(core: Core) -> None:
    def refuse(store: Store) -> int:
        raise AuthenticationError

    with pytest.raises(AuthenticationError):
        outside.complete(core.store, lambda: outside.value("a", refuse))
