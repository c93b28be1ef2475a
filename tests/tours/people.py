"""Users, groups, their administrators, drivers, passwords, login tokens."""

# ruff: noqa: SIM300 - fields of pyone's objects have capital letters, as constants have.
from __future__ import annotations

import time

from pyone import (
    OneActionException,
    OneApiException,
    OneAuthenticationException,
    OneAuthorizationException,
    OneInternalException,
    OneNoExistsException,
)

from tests.tours.tour import PASSWORD, Tour, accepted_empty, ids, refused


def run(tour: Tour) -> None:
    """The whole part."""
    _groups(tour)
    _administrators(tour)
    _secrets(tour)
    _tokens(tour)
    _token_of_a_group(tour)


def _groups(tour: Tour) -> None:
    one = tour.one
    red, blue, green = (tour.group(name) for name in ("red", "blue", "green"))
    ann = tour.user("ann", red, blue)
    seen = one.user.info(ann.uid)
    assert (seen.GID, seen.GROUPS.ID, seen.ENABLED, seen.AUTH_DRIVER) == (red, [red, blue], 1, "core")
    assert ann.uid in one.group.info(red).USERS.ID and ann.uid in one.group.info(blue).USERS.ID
    # A secondary group becomes the primary one: the old one stays. Another one takes the old one's place.
    one.user.chgrp(ann.uid, blue)
    assert (ann.one.user.info(-1).GID, ann.one.user.info(-1).GROUPS.ID) == (blue, [red, blue])
    one.user.chgrp(ann.uid, green)
    assert (ann.one.user.info(-1).GID, ann.one.user.info(-1).GROUPS.ID) == (green, [red, green])
    assert ann.uid not in one.group.info(blue).USERS.ID
    one.user.addgroup(ann.uid, blue)
    one.user.delgroup(ann.uid, red)
    assert ann.one.user.info(-1).GROUPS.ID == [blue, green]
    # A member sees its groups and nobody else's, and itself.
    assert ids(ann.one.grouppool.info(), "group") == sorted([blue, green])
    assert ids(ann.one.userpool.info(), "user") == [ann.uid]
    refused(OneAuthorizationException, ann.one.group.info, red)
    refused(OneAuthorizationException, ann.one.user.info, 0)
    # Refusals.
    refused(OneActionException, one.user.addgroup, ann.uid, blue)
    refused(OneActionException, one.user.delgroup, ann.uid, green)
    refused(OneActionException, one.user.delgroup, ann.uid, red)
    refused(OneNoExistsException, one.user.addgroup, ann.uid, 99999)
    refused(OneNoExistsException, one.user.chgrp, 99999, blue)
    refused(OneInternalException, one.user.allocate, ann.name, PASSWORD, "core", [red])
    refused(OneInternalException, one.group.allocate, one.group.info(red).NAME)
    refused(OneActionException, one.group.delete, blue)
    refused(OneAuthorizationException, ann.one.group.allocate, tour.name("own"))
    refused(OneAuthorizationException, ann.one.user.allocate, tour.name("friend"), PASSWORD, "core", [green])
    refused(OneAuthorizationException, ann.one.user.addgroup, ann.uid, red)
    # Attributes: users change their own, administrators everybody's.
    ann.one.user.update(ann.uid, {"EMAIL": "ann@example.org"}, 1)
    one.user.update(ann.uid, 'PHONE="1 < 2 & 3"', 1)
    template = ann.one.user.info(-1).TEMPLATE
    assert (template["EMAIL"], template["PHONE"]) == ("ann@example.org", "1 < 2 & 3")
    one.group.update(green, 'COLOUR="green"', 0)
    assert ann.one.group.info(-1).TEMPLATE["COLOUR"] == "green"
    tour.remove([ann], [red, blue, green])
    refused(OneNoExistsException, one.group.info, green)


def _administrators(tour: Tour) -> None:
    one = tour.one
    team, other = tour.group("team"), tour.group("other")
    boss, member, stranger = tour.user("boss", team), tour.user("member", team), tour.user("stranger", other)
    rules = len(one.acl.info().ACL)
    refused(OneInternalException, one.group.addadmin, team, stranger.uid)
    one.group.addadmin(team, boss.uid)
    refused(OneInternalException, one.group.addadmin, team, boss.uid)
    assert one.group.info(team).ADMINS.ID == [boss.uid]
    assert len(one.acl.info().ACL) > rules
    # The administrator creates users in the group, manages them and what they own; not other groups.
    name = tour.name("made")
    made = boss.one.user.allocate(name, PASSWORD, "core", [team])
    assert one.user.info(made).GID == team
    boss.one.user.passwd(made, "another-one")
    assert tour.server(f"{name}:another-one").user.info(-1).ID == made
    assert ids(boss.one.userpool.info(), "user") == sorted([boss.uid, member.uid, made])
    boss.one.group.update(team, 'NOTE="ours"', 1)
    template = member.one.template.allocate(f"NAME={tour.name('owned')}\nCPU=1\nMEMORY=1")
    boss.one.template.rename(template, tour.name("renamed"))
    boss.one.user.enable(made, False)
    refused(OneAuthenticationException, tour.server(f"{name}:another-one").user.info, -1)
    refused(OneAuthorizationException, boss.one.user.info, stranger.uid)
    refused(OneAuthorizationException, boss.one.user.allocate, tour.name("x"), PASSWORD, "core", [other])
    refused(OneAuthorizationException, boss.one.group.addadmin, team, member.uid)
    refused(OneAuthorizationException, member.one.user.info, boss.uid)
    # A second group's administrator is one of both; the role ends with the membership.
    one.user.addgroup(boss.uid, other)
    one.group.addadmin(other, boss.uid)
    boss.one.user.info(stranger.uid)
    one.user.delgroup(boss.uid, other)
    assert not one.group.info(other).ADMINS.ID
    refused(OneAuthorizationException, boss.one.user.info, stranger.uid)
    one.group.deladmin(team, boss.uid)
    refused(OneInternalException, one.group.deladmin, team, boss.uid)
    refused(OneAuthorizationException, boss.one.user.info, member.uid)
    assert len(one.acl.info().ACL) == rules
    one.template.delete(template)
    one.user.delete(made)
    tour.remove([boss, member, stranger], [team, other])


def _secrets(tour: Tour) -> None:
    one = tour.one
    ann = tour.user("ann")
    assert one.user.info(ann.uid).GID == 1
    ann.one.user.passwd(ann.uid, "a-new-one")
    refused(OneAuthenticationException, ann.one.user.info, -1)
    assert ann.by("a-new-one").user.info(-1).ID == ann.uid
    refused(OneAuthenticationException, ann.by("").user.info, -1)
    refused(OneAuthenticationException, tour.server("nobody:x").user.info, -1)
    refused(OneAuthorizationException, ann.by("a-new-one").user.chauth, ann.uid, "core", "")
    refused(OneAuthorizationException, ann.by("a-new-one").user.passwd, 0, "x")
    # A driver without passwords of its own, and back; the password goes with the driver when one is given.
    one.user.chauth(ann.uid, "public", "")
    assert one.user.info(ann.uid).AUTH_DRIVER == "public"
    refused(OneAuthenticationException, ann.by("a-new-one").user.info, -1)
    one.user.chauth(ann.uid, "core", "a-third-one")
    refused(OneAuthenticationException, ann.by("a-new-one").user.info, -1)
    assert ann.by("a-third-one").user.info(-1).AUTH_DRIVER == "core"
    one.user.chauth(ann.uid, "ssh", "not-a-key")
    refused(OneAuthenticationException, ann.by("a-third-one").user.info, -1)
    one.user.chauth(ann.uid, "core", PASSWORD)
    # Disabled users are refused at once, also with a token, which ends.
    token = ann.one.user.login(ann.name, "", 600)
    one.user.enable(ann.uid, False)
    for secret in (PASSWORD, token):
        refused(OneAuthenticationException, ann.by(secret).user.info, -1)
    one.user.enable(ann.uid, True)
    assert ann.one.user.info(-1).ENABLED == 1
    refused(OneAuthenticationException, ann.by(token).user.info, -1)
    refused(OneActionException, one.user.enable, 0, False)
    refused(OneActionException, one.user.delete, 0)
    tour.remove([ann])
    refused(OneAuthenticationException, ann.one.user.info, -1)


def _tokens(tour: Tour) -> None:
    one = tour.one
    ann = tour.user("ann")
    short = ann.one.user.login(ann.name, "", 1)
    lasting = ann.one.user.login(ann.name, "a token of my own", 600)
    endless = ann.one.user.login(ann.name, "", -1)
    assert lasting == "a token of my own" and len({short, lasting, endless}) == 3
    kept = {token.TOKEN: token for token in ann.one.user.info(-1).LOGIN_TOKEN}
    assert set(kept) == {short, lasting, endless}
    assert kept[endless].EXPIRATION_TIME == -1 and kept[lasting].EGID == -1
    assert 590 < kept[lasting].EXPIRATION_TIME - time.time() <= 600
    for token in (lasting, endless):
        assert ann.by(token).user.info(-1).ID == ann.uid
    tour.until(lambda: _is_refused(ann.by(short)), "the token of one second ends", 10)
    # One is given back, by itself even; then all of them.
    assert ann.by(lasting).user.login(ann.name, lasting, 0) == lasting
    refused(OneAuthenticationException, ann.by(lasting).user.info, -1)
    refused(OneApiException, ann.one.user.login, ann.name, lasting, 0)
    refused(OneApiException, ann.one.user.login, ann.name, "", -7)
    refused(OneNoExistsException, one.user.login, "nobody", "", 60)
    accepted_empty(ann.one.user.login, ann.name, "", 0)
    refused(OneAuthenticationException, ann.by(endless).user.info, -1)
    assert not one.user.info(ann.uid).LOGIN_TOKEN
    # A new password ends tokens; nobody makes tokens of somebody else.
    token = ann.one.user.login(ann.name, "", 600)
    one.user.passwd(ann.uid, PASSWORD)
    refused(OneAuthenticationException, ann.by(token).user.info, -1)
    bob = tour.user("bob")
    refused(OneAuthorizationException, bob.one.user.login, ann.name, "", 60)
    tour.remove([ann, bob])


def _is_refused(one: object) -> bool:
    try:
        one.user.info(-1)  # type: ignore[attr-defined]
    except OneAuthenticationException:
        return True
    return False


def _token_of_a_group(tour: Tour) -> None:
    """A token with an effective group: its user is a member of that group alone."""
    one = tour.one
    red, blue, green = (tour.group(name) for name in ("red", "blue", "green"))
    ann, bob = tour.user("ann", red, blue), tour.user("bob", red)
    template = bob.one.template.allocate(f"NAME={tour.name('shared')}\nCPU=1\nMEMORY=1")
    bob.one.template.chmod(template, -1, -1, -1, 1, -1, -1, -1, -1, -1)
    narrow = ann.by(ann.one.user.login(ann.name, "", 600, blue))
    assert [token.EGID for token in ann.one.user.info(-1).LOGIN_TOKEN] == [blue]
    assert ids(ann.one.templatepool.info(-2, -1, -1), "template") == [template]
    assert ids(narrow.templatepool.info(-2, -1, -1), "template") == []
    refused(OneAuthorizationException, narrow.template.info, template)
    # What is made with the token belongs to its group, and a token for all groups cannot be made with it.
    made = narrow.template.allocate(f"NAME={tour.name('mine')}\nCPU=1\nMEMORY=1")
    assert one.template.info(made).GID == blue and ann.one.template.info(made).UID == ann.uid
    refused(OneApiException, narrow.user.login, ann.name, "", 60, -1)
    refused(OneApiException, ann.one.user.login, ann.name, "", 60, green)
    one.user.delgroup(ann.uid, blue)
    refused(OneAuthenticationException, narrow.user.info, -1)
    assert not one.user.info(ann.uid).LOGIN_TOKEN
    for doomed in (template, made):
        one.template.delete(doomed)
    tour.remove([ann, bob], [red, blue, green])
