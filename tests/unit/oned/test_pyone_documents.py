"""Every document that a method answers, read with pyone 6.0.3: each element is a field with its value.

pyone's classes are made from OpenNebula's schemas and pass over elements that they do not know, so the fields
are compared with the document itself. What the classes of that release lack is listed here.
"""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Iterator
from typing import Any

import pyone
import pytest
from lxml import etree

from services.oned.api import resources
from services.oned.api.registry import METHODS
from tests.support.core import Core
from tests.support.furnished import Furnished
from tests.support.registry_cases import usual_arguments
from tests.support.zone import SESSION

resources.load_all()
_READS = ("info", "infoextended", "infoset", "monitoring", "accounting", "showback", "config")
# Documents, the same in OpenNebula, whose root pyone has no class for: it takes them for history records.
_UNKNOWN_ROOTS = {"one.groupquota.info", "one.userquota.info", "one.hooklog.info", "one.system.config"}
NAMES = sorted(
    name
    for name, row in METHODS.items()
    if not row.writes and name.rpartition(".")[2] in _READS and name not in _UNKNOWN_ROOTS
)
# Its class for VM pools is about the short form, and lacks these elements of OpenNebula's: the lock, and what
# the extended form has besides.
_LOCK = {"LOCK"}
_EXTENDED = {"LOCK", "PERMISSIONS", "PREV_STATE", "PREV_LCM_STATE"}


class InProcess(pyone.OneServer):  # type: ignore[misc]
    """pyone whose requests go to a zone in this process instead of over the network."""

    def __init__(self, core: Core) -> None:
        super().__init__("http://in-process/RPC2", session=SESSION)
        self._core = core

    def _do_request(self, method: str, params: tuple[Any, ...]) -> Any:
        request = xmlrpc.client.dumps(params, method).encode()
        (answer,), _ = xmlrpc.client.loads(self._core.zone.dispatcher.answer(request))
        return answer


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Furnished, Core]]:
    """A zone with objects of every kind, monitored hosts and machines among them, and costs."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("furnished")
        patch.setenv("ONE_LOCATION", str(folder))
        (folder / "var" / "log").mkdir(parents=True)
        made = Furnished(folder)
        core = made.copy(tmp_path_factory.mktemp("copy"))
        core.call("vmpool.calculateshowback", -1, -1, -1, -1)
        for kind, oid in (("vm", made.ids["vm"]), ("template", made.ids["template"])):
            core.call(f"{kind}.lock", oid, 2, False)
        for uid in (made.ids["user"], made.ids["other_user"]):
            core.call("user.quota", uid, _every_quota(made))
        core.call("group.quota", made.ids["group"], _every_quota(made))
        core.call("user.login", "alice", "", 600, made.ids["group"], user="alice")
        yield made, core
        core.zone.close()


def _every_quota(made: Furnished) -> str:
    return (
        "VM=[VMS=50,CPU=9.5,MEMORY=9000,SYSTEM_DISK_SIZE=-2,RUNNING_VMS=7]\n"
        f"DATASTORE=[ID={made.ids['datastore']},IMAGES=9,SIZE=900]\n"
        f"NETWORK=[ID={made.ids['vnet']},LEASES=9]\nIMAGE=[ID={made.ids['image']},RVMS=9]"
    )


def differences(element: etree._Element, read: Any, path: str, unread: set[str]) -> Iterator[str]:
    """What pyone's object does not have, or not as the element has it."""
    if isinstance(read, dict):
        yield from _template_differences(element, read, path)
        return
    children = [child for child in element if isinstance(child.tag, str)]
    for child in children:
        here = f"{path}/{child.tag}"
        if child.tag not in vars(read):
            if child.tag not in unread:
                yield f"{here} is no field"
            continue
        value = getattr(read, child.tag)
        if isinstance(value, list):
            alike = [other for other in children if other.tag == child.tag]
            if len(alike) != len(value):
                yield f"{here}: {len(value)} of {len(alike)} were read"
                continue
            value = value[alike.index(child)]
        if isinstance(value, dict) or len(child) or hasattr(value, "factory"):
            yield from differences(child, value, here, unread)
        elif not _same(value, child.text):
            yield f"{here}: read {value!r}, the document has {child.text!r}"


def _template_differences(element: etree._Element, read: dict[str, Any], path: str) -> Iterator[str]:
    for child in element:
        entry = read.get(child.tag)
        entries = entry if isinstance(entry, list) else [entry]
        alike = [other for other in element if other.tag == child.tag]
        if len(alike) != len(entries):
            yield f"{path}/{child.tag}: {len(entries)} of {len(alike)} were read"
            continue
        value = entries[alike.index(child)]
        if len(child):
            yield from _template_differences(child, value or {}, f"{path}/{child.tag}")
        elif not _same(value, child.text):
            yield f"{path}/{child.tag}: read {value!r}, the document has {child.text!r}"


def _same(value: Any, text: str | None) -> bool:
    if value is None or isinstance(value, str):
        return (value or "") == (text or "")
    return float(value) == float(text or "nan")


@pytest.mark.parametrize("name", NAMES)
def test_every_field(furnished: tuple[Furnished, Core], name: str) -> None:
    made, core = furnished
    args = usual_arguments(METHODS[name], made.ids)
    document = etree.fromstring(core.call(name.removeprefix("one."), *args))
    method: Any = InProcess(core)
    for part in name.removeprefix("one.").split("."):
        method = getattr(method, part)
    read = method(*args)
    assert type(read).__name__ == f"{document.tag}Sub"
    unread = _LOCK if name in ("one.vmpool.info", "one.vmpool.infoset") else set()
    if name == "one.vmpool.infoextended":
        unread = _EXTENDED | {str(child.tag) for child in document.findall("VM/HISTORY_RECORDS/HISTORY/*")}
    assert list(differences(document, read, str(document.tag), unread)) == []


def test_pools_have_objects(furnished: tuple[Furnished, Core]) -> None:
    """The comparison above means something: there is one of every kind, at least."""
    made, core = furnished
    empty = []
    for name in NAMES:
        if name.rpartition(".")[2] != "info" or "pool" not in name:
            continue
        document = etree.fromstring(
            core.call(name.removeprefix("one."), *usual_arguments(METHODS[name], made.ids))
        )
        if not len(document):
            empty.append(name)
    assert not empty


def test_a_missing_field_is_found(furnished: tuple[Furnished, Core]) -> None:
    """The comparison fails when a value, an entry or a whole element is lost."""
    made, core = furnished
    text = core.call("vm.info", made.ids["running_vm"])
    read = pyone.bindings.parseString(text.encode())
    for wrong in (
        text.replace("<NAME>busy</NAME>", "<NAME>lazy</NAME>"),
        text.replace("<RESCHED>", "<SURPRISE/><RESCHED>"),
        text.replace("<NIC>", "<NIC><A>1</A></NIC><NIC>", 1),
        text.replace("<SEQ>0</SEQ>", "<SEQ>1</SEQ>"),
    ):
        assert list(differences(etree.fromstring(wrong), read, "VM", set()))
