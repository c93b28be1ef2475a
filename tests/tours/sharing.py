"""Permission bits, owners, umask, lists and pages, locks: seen from the owner, its group and others."""

# ruff: noqa: SIM300 - fields of pyone's objects have capital letters, as constants have.
from __future__ import annotations

from typing import Any

from pyone import (
    OneActionException,
    OneApiException,
    OneAuthorizationException,
    OneInternalException,
    OneNoExistsException,
)

from tests.tours.tour import ALL, VISIBLE, Tour, User, ids, refused

_SAME = (-1,) * 9
_BITS = tuple(f"{who}_{right}" for who in ("OWNER", "GROUP", "OTHER") for right in "UMA")


def run(tour: Tour) -> None:
    """The whole part."""
    red, blue = tour.group("red"), tour.group("blue")
    ann, bob, cid = tour.user("ann", red), tour.user("bob", red), tour.user("cid", blue)
    _bits(tour, ann, bob, cid)
    _owners(tour, ann, bob, cid, blue)
    _umask(tour, ann)
    _lists(tour, ann, bob, cid)
    _locks(tour, ann, bob)
    tour.remove([ann, bob, cid], [red, blue])


def _template(tour: Tour, owner: User, note: str = "") -> int:
    made: int = owner.one.template.allocate({"NAME": tour.name("t"), "CPU": 1, "MEMORY": 1, "NOTE": note})
    return made


def _bits_of(document: Any) -> str:
    """Owner, group and others in octal, as umasks write them: use 4, manage 2, admin 1."""
    values = [getattr(document.PERMISSIONS, bit) for bit in _BITS]
    return "".join(
        str(4 * u + 2 * m + a) for u, m, a in zip(values[::3], values[1::3], values[2::3], strict=True)
    )


def _bits(tour: Tour, ann: User, bob: User, cid: User) -> None:
    template = _template(tour, ann)
    assert _bits_of(ann.one.template.info(template)) == "600"
    for other in (bob, cid):
        refused(OneAuthorizationException, other.one.template.info, template)
        assert ids(other.one.templatepool.info(*ALL), "template") == []
    # Use for the group, then manage, then for everybody.
    ann.one.template.chmod(template, *_SAME[:3], 1, 0, 0, 0, 0, 0)
    assert bob.one.template.info(template).UID == ann.uid
    assert ids(bob.one.templatepool.info(*ALL), "template") == [template]
    refused(OneAuthorizationException, bob.one.template.update, template, "NOTE=bob", 1)
    refused(OneAuthorizationException, cid.one.template.info, template)
    ann.one.template.chmod(template, *_SAME[:3], 1, 1, 0, 0, 0, 0)
    bob.one.template.update(template, "NOTE=bob", 1)
    assert ann.one.template.info(template).TEMPLATE["NOTE"] == "bob"
    refused(OneAuthorizationException, bob.one.template.chmod, template, *_SAME[:5], 1, -1, -1, -1)
    ann.one.template.chmod(template, 1, 1, 0, 0, 0, 0, 1, 0, 0)
    assert cid.one.template.info(template).TEMPLATE["NOTE"] == "bob"
    refused(OneAuthorizationException, bob.one.template.update, template, "NOTE=again", 1)
    assert _bits_of(cid.one.template.info(template)) == "604"
    # The admin bits are an administrator's to give; with them bob may do what the owner may not.
    refused(OneAuthorizationException, ann.one.template.chmod, template, -1, -1, 1, *_SAME[:6])
    tour.one.template.chmod(template, 0, 0, 0, 0, 0, 1, 0, 0, 0)
    assert _bits_of(tour.one.template.info(template)) == "010"
    refused(OneAuthorizationException, ann.one.template.info, template)
    refused(OneAuthorizationException, bob.one.template.delete, template)
    refused(OneInternalException, tour.one.template.chmod, template, 2, *_SAME[:8])
    refused(OneNoExistsException, tour.one.template.chmod, 99999, *_SAME)
    tour.one.template.delete(template)


def _owners(tour: Tour, ann: User, bob: User, cid: User, blue: int) -> None:
    template = _template(tour, ann)
    refused(OneAuthorizationException, ann.one.template.chown, template, bob.uid, -1)
    refused(OneAuthorizationException, ann.one.template.chown, template, -1, blue)
    tour.one.user.addgroup(ann.uid, blue)
    ann.one.template.chown(template, -1, blue)
    ann.one.template.chmod(template, *_SAME[:3], 1, *_SAME[:5])
    assert cid.one.template.info(template).GNAME == tour.one.group.info(blue).NAME
    refused(OneAuthorizationException, bob.one.template.info, template)
    tour.one.template.chown(template, bob.uid, -1)
    seen = bob.one.template.info(template)
    assert (seen.UNAME, seen.UID, seen.GID) == (bob.name, bob.uid, blue)
    assert ann.one.template.info(template).UID == bob.uid  # by the group's bit
    tour.one.user.delgroup(ann.uid, blue)
    refused(OneAuthorizationException, ann.one.template.info, template)
    refused(OneNoExistsException, tour.one.template.chown, template, 99999, -1)
    # A name is the owner's alone once: two owners have one each, and the second cannot be given away.
    twin = ann.one.template.allocate({"NAME": seen.NAME, "CPU": 1, "MEMORY": 1})
    refused(OneInternalException, tour.one.template.chown, twin, bob.uid, -1)
    for doomed in (template, twin):
        tour.one.template.delete(doomed)


def _umask(tour: Tour, ann: User) -> None:
    for umask, expected in (("137", "640"), ("022", "644"), ("777", "000"), ("", "600")):
        ann.one.user.update(ann.uid, f'UMASK="{umask}"', 1)
        template = _template(tour, ann)
        assert _bits_of(tour.one.template.info(template)) == expected, umask
        tour.one.template.delete(template)
    ann.one.user.update(ann.uid, "NOTE=no-umask", 0)


def _lists(tour: Tour, ann: User, bob: User, cid: User) -> None:
    mine = [_template(tour, ann) for _ in range(4)]
    shared, open_to_all = _template(tour, bob), _template(tour, cid)
    bob.one.template.chmod(shared, *_SAME[:3], 1, *_SAME[:5])
    cid.one.template.chmod(open_to_all, *_SAME[:6], 1, 0, 0)
    hidden = _template(tour, bob)

    def seen(flag: int, start: int = -1, end: int = -1) -> list[int]:
        return ids(ann.one.templatepool.info(flag, start, end), "template")

    assert seen(VISIBLE) == sorted([*mine, shared, open_to_all])
    assert seen(-3) == mine
    assert seen(-1) == sorted([*mine, shared])
    assert seen(-4) == sorted([*mine, shared, hidden])  # of the primary group, bits aside, as in OpenNebula
    assert seen(bob.uid) == [shared] and seen(cid.uid) == [open_to_all] and seen(ann.uid) == mine
    assert seen(-3, mine[1], mine[2]) == mine[1:3] and seen(-3, mine[2]) == mine[2:]
    # Pages: -2 objects after the first ones, newest first.
    pages = [ann.one.templatepool.info(-3, start, -2).VMTEMPLATE for start in (0, 2, 4)]
    assert [[entry.ID for entry in page] for page in pages] == [mine[:1:-1], mine[1::-1], []]
    refused(OneApiException, ann.one.templatepool.info, -5, -1, -1)
    for doomed in (*mine, shared, open_to_all, hidden):
        tour.one.template.delete(doomed)


def _locks(tour: Tour, ann: User, bob: User) -> None:
    template = _template(tour, ann)
    ann.one.template.chmod(template, *_SAME[:3], 1, 1, 0, 0, 0, 0)
    # Level 1 stops use, and so everything; 2 leaves use; 3 and 4 stop what needs an administrator.
    for level, may_use, may_manage in ((1, False, False), (2, True, False), (3, True, True), (4, True, True)):
        ann.one.template.lock(template, level)
        lock = ann.one.template.info(template).LOCK
        assert (lock.OWNER, lock.LOCKED) == (ann.uid, level)
        refused(OneActionException, ann.one.template.lock, template, level, True)
        _expect(may_use, tour, bob, template, _use)
        _expect(may_manage, tour, ann, template, _manage)
        # What a lock stops it stops for oneadmin, too, until it is unlocked.
        _expect(may_manage, tour, None, template, _manage)
        refused(OneAuthorizationException, tour.one.template.chmod, template, -1, -1, 1, *_SAME[:6])
        refused(OneActionException, bob.one.template.unlock, template)
        ann.one.template.unlock(template)
        assert ann.one.template.info(template).LOCK is None
    ann.one.template.lock(template, 4)
    tour.one.template.unlock(template)
    document = ann.one.document.allocate(f"NAME={tour.name('paper')}", 100)
    ann.one.document.lock(document, 2)
    refused(OneAuthorizationException, ann.one.document.delete, document)
    refused(OneAuthorizationException, bob.one.document.unlock, document)
    ann.one.document.unlock(document)
    ann.one.document.delete(document)
    tour.one.template.delete(template)


def _use(tour: Tour, one: Any, template: int) -> None:
    one.template.delete(one.template.clone(template, tour.name("copy")))


def _manage(tour: Tour, one: Any, template: int) -> None:
    one.template.rename(template, tour.name("renamed"))


def _expect(works: bool, tour: Tour, user: User | None, template: int, act: Any) -> None:
    """An act of a user, or of oneadmin, works or is refused for want of rights."""
    one = tour.one if user is None else user.one
    if works:
        act(tour, one, template)
    else:
        refused(OneAuthorizationException, act, tour, one, template)
