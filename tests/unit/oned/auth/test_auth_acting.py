"""AS_UID and AS_GID in templates."""

from __future__ import annotations

import pytest

from services.common.template import Template
from services.oned.api.call import Call
from services.oned.auth import acting, session
from services.oned.auth.session import Caller
from services.oned.errors import AuthorizationError, NotFoundError
from services.oned.store import Tx
from tests.support.core import Core
from tests.support.zone import PASSWORD


def acted(core: Core, text: str, user: str = "oneadmin") -> tuple[Caller, str]:
    """The caller after a template was looked at, and what is left of the template."""
    secret = PASSWORD if user == "oneadmin" else f"pw-{user}"
    caller = session.caller(core.store, f"{user}:{secret}", core.zone.conf)
    template = Template.parse(text)

    def run(tx: Tx) -> Caller:
        call = Call(tx, caller, core.zone.conf, "one.template.instantiate")
        acting.take_over(call, template)
        return call.caller

    return core.store.run(run), template.to_text()


def test_oneadmin_acts_for_others(core: Core) -> None:
    group = core.call("group.allocate", "devs")
    uid = core.add_user("ann", 1)
    found, rest = acted(core, f'A="1"\nAS_UID={uid}\nAS_GID={group}')
    assert (found.uid, found.name, found.gid, found.gname, found.groups) == (
        uid,
        "ann",
        group,
        "devs",
        {group},
    )
    assert rest == 'A="1"' and not found.is_admin


def test_one_of_the_two(core: Core) -> None:
    group = core.call("group.allocate", "devs")
    uid = core.add_user("ann", 1)
    found, _ = acted(core, f"AS_UID={uid}")
    assert (found.uid, found.gid, found.groups) == (uid, 0, {0})
    found, _ = acted(core, f"AS_GID={group}")
    assert (found.uid, found.name, found.gid, found.groups) == (0, "oneadmin", group, {group})


def test_nobody_acts_as_oneadmin(core: Core) -> None:
    core.add_user("ann", 1)
    found, rest = acted(core, "AS_UID=0\nAS_GID=0", user="ann")
    assert (found.name, found.gid, found.is_admin, rest) == ("ann", 1, False, "")


def test_others_need_the_management(core: Core) -> None:
    group = core.call("group.allocate", "devs")
    ann, ben = core.add_user("ann", group), core.add_user("ben", group)
    for text in (f"AS_UID={ben}", "AS_GID=1", f"AS_GID={group}"):
        with pytest.raises(AuthorizationError, match="MANAGE"):
            acted(core, text, user="ann")
    core.call("group.addadmin", group, ann)
    found, _ = acted(core, f"AS_UID={ben}\nAS_GID={group}", user="ann")
    assert (found.uid, found.gid) == (ben, group)
    assert acted(core, f"AS_UID={ann}", user="ann")[0].uid == ann


def test_what_does_not_exist(core: Core) -> None:
    for text in ("AS_UID=77", "AS_GID=77"):
        with pytest.raises(NotFoundError):
            acted(core, text)


@pytest.mark.parametrize("text", ['AS_UID="x"', 'AS_UID=""', "A=1"])
def test_texts_that_are_no_numbers_mean_nothing(core: Core, text: str) -> None:
    found, rest = acted(core, text)
    assert found.uid == 0 and rest == Template.parse(text).to_text()
