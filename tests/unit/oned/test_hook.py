"""Hooks: what they may wait for, their documents, their log, and asking for another run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.common.template import Template
from tests.support.core import Core, Refused
from tests.support.schemas import Schemas

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000
API_HOOK = "NAME=a\nTYPE=api\nCOMMAND=x\nCALL=one.vm.allocate\n"
HOST_HOOK = "NAME=h\nTYPE=STATE\nRESOURCE=HOST\nCOMMAND=x\nSTATE=error\n"
VM_HOOK = "NAME=v\nTYPE=state\nRESOURCE=VM\nCOMMAND=x\n"
IMAGE_HOOK = "NAME=i\nTYPE=state\nRESOURCE=IMAGE\nCOMMAND=x\nSTATE=used_pers\n"


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _attributes(core: Core, oid: int) -> Template:
    return Template.from_element(core.info("hook.info", oid).find("TEMPLATE"))


def _log(core: Core, hook_id: int, execution: int, time: int, rc: int, rest: str = "") -> None:
    body = (
        f"<HOOK_EXECUTION_RECORD><HOOK_ID>{hook_id}</HOOK_ID><EXECUTION_ID>{execution}</EXECUTION_ID>"
        f"<TIMESTAMP>{time}</TIMESTAMP>{rest}</HOOK_EXECUTION_RECORD>"
    )
    core.store.run(
        lambda tx: tx.run(
            "INSERT INTO hook_log (hkid, exeid, timestamp, rc, body) VALUES (?, ?, ?, ?, ?)",
            *(hook_id, execution, time, rc, body),
        )
    )


# -- creation ----------------------------------------------------------------------------------------------
def test_an_api_hook(core: Core, shared_folder: Path) -> None:
    assert core.call("hook.allocate", API_HOOK + "ARGUMENTS=$API\nARGUMENTS_STDIN=yes") == 0
    text = core.call("hook.info", 0)
    assert Schemas(shared_folder / "spec/xsd").problem(text) is None
    document = core.info("hook.info", 0)
    assert [(found.tag, found.text) for found in document][:3] == [
        ("ID", "0"),
        ("NAME", "a"),
        ("TYPE", "api"),
    ]
    assert [found.tag for found in document][3:] == ["TEMPLATE", "HOOKLOG"]
    expected = 'ARGUMENTS="$API"\nARGUMENTS_STDIN=yes\nCALL=one.vm.allocate\nCOMMAND=x\nREMOTE=NO'
    assert _attributes(core, 0) == Template.parse(expected)
    assert core.rows("SELECT type, uid, gid, owner_u, group_u FROM hook_pool") == [(2, 0, 0, 1, 0)]


def test_state_hooks(core: Core) -> None:
    core.call("hook.allocate", HOST_HOOK + "REMOTE=yes")
    assert _attributes(core, 0) == Template.parse("RESOURCE=HOST\nCOMMAND=x\nSTATE=ERROR\nREMOTE=YES")
    core.call("hook.allocate", IMAGE_HOOK)
    assert _attributes(core, 1).get("STATE") == "USED"
    core.call("hook.allocate", VM_HOOK + "ON=custom\nSTATE=active\nLCM_STATE=boot_failure")
    expected = "RESOURCE=VM\nCOMMAND=x\nSTATE=ACTIVE\nLCM_STATE=BOOT_FAILURE\nREMOTE=NO"
    assert _attributes(core, 2) == Template.parse(expected)
    assert core.rows("SELECT type FROM hook_pool ORDER BY oid") == [(1,), (1,), (1,)]
    listed = core.info("hookpool.info", -2, -1, -1)
    assert [found.findtext("ID") for found in listed] == ["2", "1", "0"]
    assert listed.find("HOOK/HOOKLOG") is None


@pytest.mark.parametrize(
    ("on", "state", "lcm_state"),
    [
        ("PROLOG", "ACTIVE", "PROLOG"),
        ("running", "ACTIVE", "RUNNING"),
        ("SHUTDOWN", "ACTIVE", "EPILOG"),
        ("STOP", "STOPPED", "LCM_INIT"),
        ("DONE", "DONE", "LCM_INIT"),
        ("UNKNOWN", "ACTIVE", "UNKNOWN"),
    ],
)
def test_words_for_vm_states(core: Core, on: str, state: str, lcm_state: str) -> None:
    core.call("hook.allocate", f"{VM_HOOK}ON={on}\nSTATE=nonsense")
    found = _attributes(core, 0)
    assert (found.get("STATE"), found.get("LCM_STATE"), found.get("ON")) == (state, lcm_state, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NAME=[", "Parse error"),
        ("NAME=a\nCOMMAND=x\nCALL=one.vm.allocate", "TYPE"),
        ("NAME=a\nTYPE=other\nCOMMAND=x", "TYPE"),
        (API_HOOK.replace("NAME=a\n", ""), "NAME"),
        (API_HOOK.replace("COMMAND=x\n", ""), "COMMAND"),
        (API_HOOK.replace("one.vm.allocate", "one.vm.nothing"), "CALL"),
        (API_HOOK.replace("one.vm.allocate", "one.vm.info"), "CALL"),
        (API_HOOK.replace("one.vm.allocate", "one.vmpool.infoextended"), "CALL"),
        (API_HOOK.replace("CALL=one.vm.allocate\n", ""), "CALL"),
        (HOST_HOOK.replace("RESOURCE=HOST\n", ""), "RESOURCE"),
        (HOST_HOOK.replace("HOST", "host"), "RESOURCE"),
        (HOST_HOOK.replace("HOST", "CLUSTER"), "RESOURCE"),
        (HOST_HOOK.replace("error", "MONITORING_ERROR"), "STATE"),
        (HOST_HOOK.replace("STATE=error\n", ""), "STATE"),
        (IMAGE_HOOK.replace("used_pers", "init"), "STATE"),
        (VM_HOOK, "ON must be"),
        (VM_HOOK + "ON=later", "ON must be"),
        (VM_HOOK + "ON=CUSTOM\nLCM_STATE=BOOT", "STATE"),
        (VM_HOOK + "ON=CUSTOM\nSTATE=ACTIVE\nLCM_STATE=ACTIVE", "LCM_STATE"),
    ],
)
def test_refused_hooks(core: Core, text: str, message: str) -> None:
    assert message in _refused(core, INTERNAL, "hook.allocate", text).text
    assert core.call("hookpool.info", -2, -1, -1) == "<HOOK_POOL></HOOK_POOL>"


def test_names(core: Core) -> None:
    core.call("hook.allocate", API_HOOK)
    assert "HOOK 0" in _refused(core, INTERNAL, "hook.allocate", API_HOOK).text
    core.call("hook.allocate", HOST_HOOK)
    _refused(core, ACTION, "hook.rename", 1, "a")
    _refused(core, ACTION, "hook.rename", 1, "b;")
    assert core.call("hook.rename", 1, "b") == 1
    assert core.info("hook.info", 1).findtext("NAME") == "b"


# -- changes -----------------------------------------------------------------------------------------------
def test_changes_are_checked_too(core: Core) -> None:
    for text in (API_HOOK, HOST_HOOK, VM_HOOK + "ON=DONE", IMAGE_HOOK):
        core.call("hook.allocate", text)
    for oid, text in (
        (0, "CALL=one.vm.info"),
        (0, "COMMAND="),
        (1, "STATE=gone"),
        (1, "RESOURCE=VM"),
        (2, "LCM_STATE=gone"),
        (3, "STATE=INIT"),
    ):
        _refused(core, INTERNAL, "hook.update", oid, text, 1)
    for oid, text in (
        (0, "CALL=one.vm.deploy"),
        (1, "COMMAND=y"),
        (2, "COMMAND=y\nSTATE=DONE"),
        (3, "COMMAND=y"),
    ):
        _refused(core, INTERNAL, "hook.update", oid, text, 0)
    core.call("hook.update", 0, "CALL=one.vm.deploy\nREMOTE=yes", 1)
    assert _attributes(core, 0) == Template.parse("CALL=one.vm.deploy\nCOMMAND=x\nREMOTE=YES")
    # Without RESOURCE nothing could set the hook off any more: it keeps the one it has.
    core.call("hook.update", 1, "COMMAND=y\nSTATE=offline", 0)
    assert _attributes(core, 1) == Template.parse("COMMAND=y\nSTATE=OFFLINE\nRESOURCE=HOST")
    core.call("hook.update", 2, "STATE=active\nLCM_STATE=running", 1)
    assert _attributes(core, 2).get("LCM_STATE") == "RUNNING"
    assert core.info("hook.info", 1).findtext("TYPE") == "state"


def test_rights_and_locks(core: Core) -> None:
    core.add_user("ann")
    core.call("hook.allocate", API_HOOK)
    _refused(core, AUTHORIZATION, "hook.allocate", HOST_HOOK, user="ann")
    for method, args in (
        ("hook.info", (0,)),
        ("hook.update", (0, "X=1", 1)),
        ("hook.rename", (0, "else")),
        ("hook.lock", (0, 1)),
        ("hook.unlock", (0,)),
        ("hook.retry", (0, 0)),
        ("hook.delete", (0,)),
    ):
        _refused(core, AUTHORIZATION, method, *args, user="ann")
        _refused(core, NO_EXISTS, method, 7, *args[1:])
    core.call("hook.lock", 0, 2)
    assert [found.tag for found in core.info("hook.info", 0)] == [
        *("ID", "NAME", "TYPE", "LOCK", "TEMPLATE", "HOOKLOG"),
    ]
    _refused(core, AUTHORIZATION, "hook.update", 0, "X=1", 1)
    core.call("hook.unlock", 0)
    assert core.call("hook.update", 0, "X=1", 1) == 0
    assert core.call("hookpool.info", -2, -1, -1, user="ann") == "<HOOK_POOL></HOOK_POOL>"


# -- the log -----------------------------------------------------------------------------------------------
def _runs(core: Core, *args: int) -> list[str]:
    found = core.info("hooklog.info", *args)
    assert found.tag == "HOOKLOG"
    return [f"{run.findtext('HOOK_ID')}.{run.findtext('EXECUTION_ID')}" for run in found]


def test_the_log(core: Core) -> None:
    for hook_id, execution, time, rc in ((0, 0, 10, 0), (0, 1, 20, 1), (0, 2, 30, 0), (1, 0, 20, 255)):
        _log(core, hook_id, execution, time, rc)
    core.call("hook.allocate", API_HOOK)
    runs = core.info("hook.info", 0).findall("HOOKLOG/HOOK_EXECUTION_RECORD/EXECUTION_ID")
    assert [run.text for run in runs] == ["0", "1", "2"]
    assert _runs(core, -1, -1, -1, 0) == ["1.0", "0.2", "0.1", "0.0"]
    assert _runs(core, -1, -1, 0, 0) == ["0.0", "0.1", "0.2"]
    assert _runs(core, -1, -1, -1, -1) == ["1.0", "0.1"]
    assert _runs(core, -1, -1, -1, 1) == ["0.2", "0.0"]
    assert _runs(core, 10, 30, -1, 0) == ["1.0", "0.1"]
    assert _runs(core, 10, -1, 0, 5) == ["0.1", "0.2"]
    assert _runs(core, -1, -1, 7, 0) == []
    core.call("hook.delete", 0)
    assert _runs(core, -1, -1, -1, 0) == ["1.0"]
    # A second group is not enough: the primary one counts.
    core.add_user("ann", 1, 0)
    _refused(core, AUTHORIZATION, "hooklog.info", -1, -1, -1, 0, user="ann")


def test_another_run(core: Core) -> None:
    core.call("hook.allocate", API_HOOK)
    _log(core, 0, 3, 10, 1, "<ARGUMENTS>a b </ARGUMENTS><REMOTE_HOST>n1</REMOTE_HOST>")
    _log(core, 0, 4, 11, 0, "<ARGUMENTS></ARGUMENTS>")
    _log(core, 0, 5, 12, 0)
    assert core.call("hook.retry", 0, 3) == 0
    assert core.call("hook.retry", 0, 4) == 0
    for execution in (5, 9):
        _refused(core, INTERNAL, "hook.retry", 0, execution)
    rows = core.rows(
        "SELECT oid, payload FROM onebox_event WHERE kind = 'RETRY' AND object = 'HOOK' ORDER BY id"
    )
    assert [(oid, json.loads(text)) for oid, text in rows] == [
        (0, {"execution_id": 3, "arguments": "a b ", "remote_host": "n1"}),
        (0, {"execution_id": 4, "arguments": "", "remote_host": ""}),
    ]
