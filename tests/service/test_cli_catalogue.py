"""Hooks, marketplaces, appliances and zones."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.shell import Shell, at_a_new_front_end, field

pytestmark = pytest.mark.timeout(120)
MARKET = 'NAME="fair"\nMARKET_MAD="http"\nBASE_URL="http://fair/"\nPUBLIC_DIR="/srv/fair"'


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """oneadmin's shell at a front-end without machines."""
    with at_a_new_front_end(tmp_path_factory.mktemp("catalogue")) as found:
        yield found


def test_hooks(shell: Shell) -> None:
    """onehook create --dry log retry show --execution"""
    text = 'NAME="bell"\nTYPE="api"\nCALL="one.vm.allocate"\nCOMMAND="x.sh"'
    assert shell.ok("onehook create --dry", text) == text + "\n"
    oid = shell.created("onehook create", text)
    assert shell.ok("onehook log") == "" and shell.ok(f"onehook log --hook-id {oid} --error") == ""
    assert shell.ok("onehook log --success --since 2021-05-01 --until 05/2031") == ""
    assert ElementTree.fromstring(shell.ok("onehook log -x")).tag == "HOOKLOG"
    assert "exclude each other" in shell.refused("onehook log --error --success")
    assert "expected a date" in shell.refused("onehook log --since tomorrow")
    assert shell.refused("onehook retry bell 4").startswith("[one.hook.retry]")
    assert shell.refused("onehook show bell -e 4") == f"HOOK {oid}: there is no execution record 4."
    shell.ok("onehook delete bell")


def app(shell: Shell, name: str) -> str:
    """A new appliance of a VM template without disks; its id."""
    markets = shell.ok("onemarket list -l ID -f NAME=fair --csv --no-header").split()
    market = markets[0] if markets else shell.created("onemarket create", MARKET)
    unique = f"{name}{time.monotonic_ns()}"
    template = shell.created(
        "onetemplate create", f'NAME="{unique}"\nCPU=1\nMEMORY=64\nNIC=[NETWORK="n",MODEL="virtio"]'
    )
    oid = shell.created(
        f"onemarketapp vm-template import {template} --no --market {market} --vmname {unique}"
    )
    shell.ok(f"onetemplate delete {template}")
    return oid


def test_appliances(shell: Shell, tmp_path: Path) -> None:
    """Import, export, and what cannot be done here."""
    oid = app(shell, "app")
    shown = shell.ok(f"onemarketapp show {oid}")
    assert field(shown, "TYPE") == "VMTEMPLATE" and 'NETWORK_MODE="auto"' in shown and "NETWORK=" not in shown
    shell.ok(f"onemarketapp rename {oid} tool")
    shell.ok("onemarketapp update tool -a -", 'NOTE="n"')
    shell.ok("onemarketapp disable tool")
    assert shell.cells("onemarketapp", oid, "STAT,TYPE") == ["dis", "tpl"]
    refusal = shell.refused("onemarketapp export tool mine -d default")
    assert (
        refusal == f"MARKETPLACEAPP {oid}: only an appliance that is READY can be exported, it is DISABLED."
    )
    shell.ok("onemarketapp enable tool")
    shell.ok("onemarketapp chown tool serveradmin users")
    shell.ok("onemarketapp chgrp tool oneadmin")
    shell.ok("onemarketapp chmod tool 644")
    shell.ok("onemarketapp lock tool --all")
    shell.ok("onemarketapp unlock tool")
    assert "--datastore is missing" in shell.refused("onemarketapp export tool mine")
    said = shell.ok("onemarketapp export tool mine -d default")
    made = re.fullmatch(r"VMTEMPLATE\n    ID: (\d+)\n", said)
    assert made and 'NETWORK_MODE="auto"' in shell.ok("onetemplate show mine")
    shell.ok(f"onetemplate delete {made[1]}")
    assert "does not have" in shell.refused(f"onemarketapp download tool {tmp_path}/file")
    assert "OneFlow" in shell.refused("onemarketapp service-template import 3")
    assert "--marketplace is missing" in shell.refused("onemarketapp create --name x", "")
    dry = shell.ok("onemarketapp create --name x --description d --marketplace fair --image 7 --dry")
    assert dry == 'NAME="x"\nDESCRIPTION="d"\nORIGIN_ID="7"\nTYPE="image"\n'
    assert shell.refused("onemarketapp create --name x -m fair --image 7777").startswith(
        "[one.marketapp.allocate]"
    )
    assert "a file or options" in shell.refused(f"onemarketapp create {tmp_path}/f --name x -m fair")
    vm = shell.created("onevm create --name still --cpu 1 --memory 1 --hold")
    assert "not made from a template" in shell.refused(f"onemarketapp vm import {vm} --no --market 1")
    shell.ok(f"onevm terminate --hard {vm}")
    shell.ok("onemarketapp delete tool")


def test_an_import_asks_what_it_is_not_told(shell: Shell) -> None:
    app(shell, "first")  # so that there is a marketplace
    template = shell.created("onetemplate create", 'NAME="asked"\nCPU=1\nMEMORY=64')
    said = shell.ok("onemarketapp vm-template import asked --vmname asked-app", "no\n\n")
    assert said.startswith("Do you want to import images too? (yes/no, default=yes): ")
    assert "\nAvailable Marketplaces (please enter ID)\n- " in said
    oid = re.search(r"^ID: (\d+)$", said, re.M)
    assert oid and shell.cells("onemarketapp", oid[1], "NAME") == ["asked-app"]
    assert "Nothing was imported" in shell.refused("onemarketapp vm-template import asked --no --market 9999")
    shell.ok(f"onemarketapp delete {oid[1]}")
    shell.ok(f"onetemplate delete {template}")


def test_zones(shell: Shell) -> None:
    """onezone create rename update server-add server-del server-reset set serversync delete list"""
    endpoint = shell.frontend.endpoint
    name = shell.cells("onezone", "0", "NAME")[0]
    shell.ok("onezone rename 0 here")
    shell.ok("onezone update here -", f'ENDPOINT="{endpoint}"\nNOTE="n"')
    assert shell.cells("onezone", "0", "CURRENT,FED_INDEX") == ["*", "-1"]
    shell.ok(f"onezone server-add here --name s1 --rpc {endpoint}")
    shell.ok("onezone server-add here -n gone -r http://127.0.0.1:1/RPC2")
    shown = shell.ok("onezone show here")
    servers = ElementTree.fromstring(shell.ok("onezone show here -x")).findall("SERVER_POOL/SERVER")
    assert [server.findtext("NAME") for server in servers] == ["s1", "gone"]
    assert re.search(r"^ ?\d+ s1 +solo +\S+ +-1 ", shown, re.M) and re.search(
        r"^ ?\d+ gone +error +- ", shown, re.M
    )
    assert shell.refused("onezone server-add here -n x").endswith("--name and --rpc are needed.")
    assert "expected http://" in shell.refused("onezone server-add here -n x -r ftp://x")
    for server in servers:
        shell.run(f"onezone server-reset here {server.findtext('ID')}")
        shell.ok(f"onezone server-del here {server.findtext('ID')}")
    own = Shell(shell.frontend, shell.home / "zoned")
    assert own.ok("onezone set here --keep") == f"Type: export ONE_XMLRPC={endpoint}\n"
    assert own.ok("onezone set here") == f'Endpoint changed to "{endpoint}" in {own.home}/.one/one_endpoint\n'
    del own.variables["ONE_XMLRPC"]
    assert field(own.ok("onezone show 0"), "NAME") == "here"
    assert "share one database" in shell.refused("onezone serversync other-server")
    assert shell.refused("onezone create", 'NAME="far"\nENDPOINT="http://far:2633/RPC2"').startswith(
        "[one.zone.allocate]"
    )
    assert shell.refused("onezone delete here").startswith("[one.zone.delete]")
    shell.ok(f"onezone rename here {name}")


def test_accounting_without_records(shell: Shell) -> None:
    """oneacct, oneshowback list calculate: the words; records are in test_cli_accounting."""
    assert (
        shell.ok("oneacct --user-filter-is-no-option".replace("--user-filter-is-no-option", "-u serveradmin"))
        == ""
    )
    assert shell.ok("oneshowback list -u serveradmin") == ""
    assert shell.ok("oneshowback calculate -s 01/2021 -e 02/2021") == "\n"
    assert shell.ok("oneacct --describe").startswith("Columns (* = shown by default):\n  UID ")
