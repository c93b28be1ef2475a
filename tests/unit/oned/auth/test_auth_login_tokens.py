"""Login tokens: making, limiting, deleting them, and the codes of what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.core import Core, Refused
from tests.support.schemas import Schemas
from tests.support.zone import Zone

AUTHENTICATION, AUTHORIZATION, NO_EXISTS, ACTION, API = 0x100, 0x200, 0x400, 0x800, 0x1000


def refusal(core: Core, *args: object, user: str = "oneadmin") -> Refused:
    """The answer to a login call that must fail."""
    with pytest.raises(Refused) as refused:
        core.call("user.login", *args, user=user)
    return refused.value


def tokens(core: Core, uid: int) -> list[tuple[str, int, int]]:
    """Text, end and group of a user's tokens."""
    found = core.info("user.info", uid).findall("LOGIN_TOKEN")
    return [
        (
            token.findtext("TOKEN") or "",
            int(token.findtext("EXPIRATION_TIME") or 0),
            int(token.findtext("EGID") or 0),
        )
        for token in found
    ]


def whoami(core: Core, name: str, secret: str) -> int:
    """The user that a session gives, or the code of the refusal, negative."""
    answer = core.zone.call("one.user.info", -1, session=f"{name}:{secret}")
    return int(answer[1].partition("<ID>")[2].partition("<")[0]) if answer[0] else -answer[2]


def test_a_token_of_ones_own(core: Core) -> None:
    uid = core.add_user("ann", 1)
    token = core.call("user.login", "ann", "", 600, -1, user="ann")
    assert len(token) == 64 and int(token, 16)
    ((text, ends, egid),) = tokens(core, uid)
    assert (text, egid) == (token, -1) and abs(ends - time.time() - 600) < 5
    assert whoami(core, "ann", token) == uid
    assert core.call("user.login", "ann", token, 0, user="ann") == token
    assert tokens(core, uid) == [] and whoami(core, "ann", token) == -AUTHENTICATION


def test_a_token_with_a_given_text_and_without_an_end(core: Core) -> None:
    uid = core.add_user("ann", 1)
    assert core.call("user.login", "ann", "mine", -1, user="ann") == "mine"
    assert tokens(core, uid) == [("mine", -1, -1)]
    # A second one of the same text changes nothing; others are listed by text.
    core.call("user.login", "ann", "mine", 60, user="ann")
    core.call("user.login", "ann", "also", -1, user="ann")
    assert tokens(core, uid) == [("also", -1, -1), ("mine", -1, -1)]


def test_tokens_of_one_group(core: Core) -> None:
    devs = core.call("group.allocate", "devs")
    uid = core.add_user("ann", 1, devs)
    token = core.call("user.login", "ann", "", -1, devs, user="ann")
    core.call("template.allocate", "NAME=x", user="ann")
    answer = core.zone.call("one.group.info", -1, session=f"ann:{token}")
    assert answer[0] and f"<ID>{devs}</ID>" in answer[1]
    refused = refusal(core, "ann", "", -1, 0, user="ann")
    assert refused.code == API and "EGID" in refused.text
    # A token of one group cannot make one of all groups, nor of another group.
    for egid in (-1, 1):
        answer = core.zone.call("one.user.login", "ann", "", -1, egid, session=f"ann:{token}")
        assert (answer[0], answer[2]) == (False, API)
    assert core.zone.value("one.user.login", "ann", "", -1, devs, session=f"ann:{token}")
    assert len(tokens(core, uid)) == 2


def test_administrators_make_tokens_of_one_group_only(core: Core) -> None:
    core.add_user("ann", 1)
    refused = refusal(core, "ann", "", 60, -1)
    assert refused.code == API and "full token" in refused.text
    assert core.call("user.login", "ann", "", 60, 1)
    assert core.call("user.login", "ann", "", 60, 100)  # as OpenNebula: theirs is not checked
    assert core.call("user.login", "oneadmin", "", 60)


def test_who_may(core: Core) -> None:
    core.add_user("ann", 1)
    core.add_user("ben", 1)
    assert refusal(core, "ann", "", 60, 1, user="ben").code == AUTHORIZATION
    refused = refusal(core, "nobody", "", 60, -1)
    assert (refused.code, refused.object_id) == (NO_EXISTS, -1)


@pytest.mark.parametrize("seconds", [-2, -1000])
def test_periods_that_mean_nothing(core: Core, seconds: int) -> None:
    assert refusal(core, "oneadmin", "", seconds, -1).code == API


def test_deleting(core: Core) -> None:
    for text in ("a", "b", "c"):
        core.call("user.login", "oneadmin", text, -1)
    assert refusal(core, "oneadmin", "nothing", 0, -1).code == API
    core.call("user.login", "oneadmin", "b", 0)
    assert [text for text, _, _ in tokens(core, 0)] == ["a", "c"]
    assert core.call("user.login", "oneadmin", "", 0) == ""
    assert tokens(core, 0) == []


def test_there_are_ten_at_most_and_expired_ones_make_room(core: Core) -> None:
    core.call("user.login", "oneadmin", "old", 1)
    for number in range(9):
        core.call("user.login", "oneadmin", f"t{number}", -1)
    assert refusal(core, "oneadmin", "one-more", -1, -1).code == API
    time.sleep(2.1)  # the second in which a token expires does not count as past
    core.call("user.login", "oneadmin", "one-more", -1)
    assert "old" not in {text for text, _, _ in tokens(core, 0)} and len(tokens(core, 0)) == 10


def test_drivers_limit_the_time(core: Core) -> None:
    uid = core.call("user.allocate", "ann", "dn", "ldap", [])  # MAX_TOKEN_TIME is a day
    for asked, given in ((-1, 86400), (10**6, 86400), (60, 60)):
        core.call("user.login", "ann", "", 0)
        core.call("user.login", "ann", "t", asked, 1)
        assert abs(tokens(core, uid)[0][1] - time.time() - given) < 5


def test_drivers_without_tokens(tmp_path_factory: pytest.TempPathFactory) -> None:
    core = Core(tmp_path_factory.mktemp("zone"), 'AUTH_MAD_CONF = [ NAME = "core", MAX_TOKEN_TIME = "0" ]')
    uid = core.add_user("ann", 1)
    core.call("user.chauth", uid, "ssh", "key")
    core.call("user.login", "ann", "aaa", -1, 1)
    core.call("user.chauth", uid, "core")
    refused = refusal(core, "ann", "", 60, 1)
    assert refused.code == ACTION and "disabled for driver core" in refused.text
    assert tokens(core, uid) == []  # those that there were have ended, although the call fails
    core.zone.close()


def test_a_new_password_ends_all_tokens(core: Core) -> None:
    uid = core.add_user("ann", 1)
    core.call("user.login", "ann", "aaa", -1, user="ann")
    core.call("user.passwd", uid, "other")
    assert tokens(core, uid) == [] and whoami(core, "ann", "aaa") == -AUTHENTICATION


def test_documents_with_tokens_are_valid(core: Core, shared_folder: Path) -> None:
    schemas = Schemas(shared_folder / "spec/xsd")
    uid = core.add_user("ann", 1)
    for text in ("a&<b>", "c"):
        core.call("user.login", "ann", text, 600, user="ann")
    for document in (core.call("user.info", uid), core.call("userpool.info")):
        assert schemas.problem(document) is None
    assert [text for text, _, _ in tokens(core, uid)] == ["a&<b>", "c"]


def test_tokens_are_kept_from_the_log(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    zone = Zone(tmp_path_factory.mktemp("zone"))
    with caplog.at_level("DEBUG"):
        token = zone.value("one.user.login", "oneadmin", "", 600)
        zone.refusal("one.user.login", "oneadmin", "no-such-token", 0)
        zone.value("one.user.info", -1, session=f"oneadmin:{token}")
    assert token not in caplog.text and "no-such-token" not in caplog.text
    zone.close()


def test_disabling_ends_all_of_them(core: Core) -> None:
    uid = core.add_user("ann", 1)
    made = core.call("user.login", "ann", "", 600, user="ann")
    assert whoami(core, "ann", made) == uid
    core.call("user.enable", uid, False)
    assert tokens(core, uid) == [] and whoami(core, "ann", made) == -AUTHENTICATION
    core.call("user.enable", uid, True)
    assert whoami(core, "ann", made) == -AUTHENTICATION and whoami(core, "ann", "pw-ann") == uid
