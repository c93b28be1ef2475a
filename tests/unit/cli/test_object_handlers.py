"""What commands do in several calls, and what is left when one of them is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.unit.cli.conftest import Answers, Run

REFUSED = 0x0400


@pytest.fixture
def cloud(answers: Answers) -> Answers:
    """A front-end whose new objects have the ids 40, 41, ..."""
    ids = iter(range(40, 60))
    for method in ("group", "user", "image", "template", "marketapp"):
        answers.replies[f"one.{method}.allocate"] = lambda *_arguments: next(ids)
    answers.replies["one.acl.addrule"] = lambda *_arguments: next(ids)
    for method in (
        "group.delete",
        "acl.delrule",
        "user.delete",
        "group.addadmin",
        "group.update",
        "image.update",
    ):
        answers.replies[f"one.{method}"] = 40
    return answers


def made(answers: Answers) -> list[str]:
    """The methods that were called, but for questions."""
    return [method.removeprefix("one.") for method, _ in answers.calls if not method.endswith(".info")]


def test_a_group_with_its_administrator(cloud: Answers, run: Run) -> None:
    assert run("onegroup", "create", "devs", "-u", "boss", "-p", "pw") == (0, "ID: 40\n", "")
    assert cloud.calls[:4] == [
        ("one.group.allocate", ["devs"]),
        ("one.acl.addrule", ["200000028", "25429400000000", "8", "400000000"]),
        ("one.user.allocate", ["boss", "pw", "", [40]]),
        ("one.group.addadmin", [40, 42]),
    ]
    assert cloud.calls[4][0] == "one.group.update"


def test_a_group_without_rule(cloud: Answers, run: Run) -> None:
    assert run("onegroup", "create", "--name", "devs", "--resources", "")[0] == 0
    assert made(cloud) == ["group.allocate", "group.update"]


def test_nothing_stays_of_a_group_that_failed(cloud: Answers, run: Run) -> None:
    cloud.refuse("one.group.update", REFUSED, "[one.group.update] no")
    code, out, err = run("onegroup", "create", "devs", "-u", "boss", "-p", "pw")
    assert (code, out, err) == (255, "", "[one.group.update] no\n")
    assert made(cloud)[5:] == ["user.delete", "acl.delrule", "group.delete"]
    cloud.calls.clear()
    cloud.refuse("one.user.allocate", REFUSED, "[one.user.allocate] no")
    cloud.refuse("one.group.delete", REFUSED, "[one.group.delete] no either")
    assert run("onegroup", "create", "devs", "-u", "boss", "-p", "pw")[2] == (
        "Left over: [one.group.delete] no either\n[one.user.allocate] no\n"
    )


HOOK = """<HOOK><ID>3</ID><NAME>bell</NAME><TYPE>api</TYPE><TEMPLATE><CALL>one.vm.allocate</CALL></TEMPLATE>
<HOOKLOG><HOOK_EXECUTION_RECORD><HOOK_ID>3</HOOK_ID><EXECUTION_ID>0</EXECUTION_ID><TIMESTAMP>1600000000</TIMESTAMP>
<ARGUMENTS>{arguments}</ARGUMENTS><EXECUTION_RESULT><COMMAND>/ring.sh</COMMAND><STDOUT>{output}</STDOUT><STDERR/>
<CODE>7</CODE></EXECUTION_RESULT></HOOK_EXECUTION_RECORD></HOOKLOG></HOOK>"""


def hook() -> str:
    return HOOK.format(
        arguments=f"plain {base64.b64encode(b'<CALL/>').decode()}",
        output=base64.b64encode(b"ding\ndong\n").decode(),
    )


def test_runs_of_a_hook(answers: Answers, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    answers.replies["one.hook.info"] = hook()
    code, out, _ = run("onehook", "show", "3")
    assert code == 0
    assert out.endswith(
        "\nEXECUTION LOG\n   ID       TIMESTAMP    RC EXECUTION\n    0     09/13 12:26     7 ERROR\n\n"
    )
    code, out, _ = run("onehook", "show", "3", "-e", "0")
    assert "\nARGUMENTS         : plain <CALL/>       \nEXIT CODE         : 7  " in out
    assert "\nding\ndong\n" in out
    log = hook().partition("<HOOKLOG>")[2].partition("</HOOKLOG>")[0]
    answers.replies["one.hooklog.info"] = f"<HOOKLOG>{log}</HOOKLOG>"
    assert run("onehook", "log", "--hook-id", "3", "--error") == (
        0,
        " HOOK    ID       TIMESTAMP    RC EXECUTION\n    3     0     09/13 12:26     7 ERROR\n",
        "",
    )
    assert answers.calls[-1] == ("one.hooklog.info", [-1, -1, 3, -1])


def test_retry_of_a_run(answers: Answers, run: Run) -> None:
    answers.replies["one.hook.retry"] = 3
    assert run("onehook", "retry", "3", "12", "-v") == (0, "HOOK 3: Retry executed\n", "")
    assert answers.calls == [("one.hook.retry", [3, 12])]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def app(oid: int, name: str, sort: int, apptemplate: str, template: str = "", state: int = 1) -> str:
    return (
        f"<MARKETPLACEAPP><ID>{oid}</ID><NAME>{name}</NAME><TYPE>{sort}</TYPE><STATE>{state}</STATE>"
        f"<APPTEMPLATE64>{encoded(apptemplate)}</APPTEMPLATE64><TEMPLATE>{template}</TEMPLATE></MARKETPLACEAPP>"
    )


def image(oid: int, sort: int = 0) -> str:
    template = "<TEMPLATE><DEV_PREFIX>vd</DEV_PREFIX><DRIVER>raw</DRIVER></TEMPLATE>"
    return f"<IMAGE><ID>{oid}</ID><TYPE>{sort}</TYPE>{template}</IMAGE>"


def test_export_of_an_image(cloud: Answers, run: Run) -> None:
    more = f"<VMTEMPLATE64>{encoded('CPU=1')}</VMTEMPLATE64>"
    cloud.replies["one.marketapp.info"] = app(7, "alpine", 1, "TYPE=OS\n", more)
    cloud.replies["one.image.info"] = lambda oid, _decrypt: image(oid)
    assert run("onemarketapp", "export", "7", "mine", "-d", "1", "--vmname", "box", "--tag", "3") == (
        0, "IMAGE\n    ID: 40\nVMTEMPLATE\n    ID: 41\n", "",
    )  # fmt: skip
    calls: dict[str, list[Any]] = dict(cloud.calls)
    assert calls["one.image.allocate"] == ['TYPE=OS\nNAME="mine"\nFROM_APP="7"\nURL_ARGS="tag=3"', 1, True]
    assert calls["one.image.update"] == [40, 'DEV_PREFIX="vd"', 0]
    assert calls["one.template.allocate"] == ['CPU=1\nNAME="box"\nDISK=[\n  IMAGE_ID="40" ]']
    assert run("onemarketapp", "export", "7", "mine", "-d", "1", "--no")[1] == "IMAGE\n    ID: 42\n"


def test_export_of_a_kernel_takes_a_file_datastore(cloud: Answers, run: Run) -> None:
    cloud.replies["one.marketapp.info"] = app(7, "kernel", 1, 'TYPE = "KERNEL"\n')
    cloud.replies["one.image.info"] = lambda oid, _decrypt: image(oid, 3)
    cloud.replies["one.datastorepool.info"] = (
        "<DATASTORE_POOL><DATASTORE><ID>1</ID><TYPE>0</TYPE></DATASTORE>"
        "<DATASTORE><ID>2</ID><TYPE>2</TYPE></DATASTORE></DATASTORE_POOL>"
    )
    assert run("onemarketapp", "export", "7", "k", "-d", "1")[0] == 0
    assert dict(cloud.calls)["one.image.allocate"][1] == 2
    assert run("onemarketapp", "export", "7", "k", "-d", "1", "--file-datastore", "9")[0] == 0
    assert dict(cloud.calls)["one.image.allocate"][1] == 9


def test_export_of_a_template_with_its_images(cloud: Answers, run: Run) -> None:
    apps = {
        7: app(
            7,
            "box",
            2,
            "CPU=1",
            "<DISK><APP>root</APP></DISK><DISK><APP>root</APP></DISK><DISK><APP>k</APP></DISK>",
        ),
        8: app(8, "root", 1, "TYPE=OS"),
        9: app(9, "k", 1, "TYPE=OS"),
    }
    cloud.replies["one.marketapp.info"] = lambda oid, _decrypt: apps[oid]
    cloud.replies["one.marketapppool.info"] = (
        f"<MARKETPLACEAPP_POOL>{''.join(apps.values())}</MARKETPLACEAPP_POOL>"
    )
    cloud.replies["one.image.info"] = lambda oid, _decrypt: image(oid, 3 if oid == 41 else 0)
    code, out, err = run("onemarketapp", "export", "box", "mine", "-d", "1")
    assert (code, err) == (0, "")
    assert out == "IMAGE\n    ID: 40\n    ID: 41\nVMTEMPLATE\n    ID: 42\n"
    text = dict(cloud.calls)["one.template.allocate"][0]
    assert text.count('IMAGE_ID="40"') == 2 and 'KERNEL_DS="$FILE[IMAGE_ID=41]"' in text
    del apps[9]
    cloud.replies["one.marketapppool.info"] = (
        f"<MARKETPLACEAPP_POOL>{''.join(apps.values())}</MARKETPLACEAPP_POOL>"
    )
    code, out, err = run("onemarketapp", "export", "box", "mine", "-d", "1")
    assert (code, out) == (255, "")
    assert err == "Left over: image 43.\nMARKETPLACEAPP 7 needs the appliance k, which is not there.\n"


def test_import_of_a_template_with_its_images(cloud: Answers, run: Run) -> None:
    cloud.replies["one.system.version"] = "6.0.0.3"
    cloud.replies["one.template.info"] = (
        "<VMTEMPLATE><ID>1</ID><NAME>box</NAME><UNAME>jo</UNAME><TEMPLATE><CPU>1</CPU>"
        "<DISK><IMAGE>root</IMAGE></DISK><DISK><IMAGE_ID>6</IMAGE_ID></DISK>"
        "<NIC><NETWORK>lan</NETWORK><MODEL>virtio</MODEL></NIC></TEMPLATE></VMTEMPLATE>"
    )
    one = "<IMAGE><ID>{}</ID><NAME>{}</NAME><UNAME>jo</UNAME><TYPE>{}</TYPE><STATE>1</STATE></IMAGE>"
    images = {5: one.format(5, "root", 0), 6: one.format(6, "data", 2)}
    cloud.replies["one.imagepool.info"] = f"<IMAGE_POOL>{''.join(images.values())}</IMAGE_POOL>"
    cloud.replies["one.image.info"] = lambda oid, _decrypt: images[oid]
    cloud.replies["one.marketpool.info"] = (
        "<MARKETPLACE_POOL><MARKETPLACE><ID>0</ID><NAME>far</NAME><MARKET_MAD>one</MARKET_MAD></MARKETPLACE>"
        "<MARKETPLACE><ID>100</ID><NAME>fair</NAME><MARKET_MAD>http</MARKET_MAD></MARKETPLACE></MARKETPLACE_POOL>"
    )
    line = ("onemarketapp", "vm-template", "import", "1", "--yes", "--market")
    assert run(*line, "100") == (0, "ID: 40\nID: 41\nID: 42\n", "")
    texts = [arguments[0] for method, arguments in cloud.calls if method == "one.marketapp.allocate"]
    assert 'ORIGIN_ID="5"\nTYPE="IMAGE"' in texts[0] and 'ORIGIN_ID="6"\nTYPE="IMAGE"' in texts[1]
    assert 'NAME="OS_0"' in texts[2] and 'NAME="DATABLOCK_1"' in texts[2]
    inner = base64.b64decode(texts[2].rpartition("APPTEMPLATE64=")[2].strip('"')).decode()
    assert inner == 'CPU="1"\nNIC=[\n  MODEL="virtio",\n  NETWORK_MODE="auto" ]\n'
    assert "Marketplace 0 cannot take appliances; expected one of 100." in run(*line, "0")[2]
    cloud.replies["one.marketapp.delete"] = 1
    cloud.replies["one.image.info"] = lambda oid, _decrypt: images[oid].replace(
        "<STATE>1</STATE>", "<STATE>5</STATE>" if oid == 6 else "<STATE>1</STATE>"
    )
    cloud.calls.clear()
    code, _, err = run(*line, "100")
    assert code == 255 and err == "IMAGE 6 must be READY, USED, LOCKED to be imported.\n"
    assert made(cloud)[-1] == "marketapp.delete"
