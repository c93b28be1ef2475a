"""What onehost does beyond a single call."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import documents, kinds, listconf, template_text
from services.cli.documents import text_of
from services.cli.errors import EXIT_FAILURE, CliError, hint
from services.common.oca import OneError

_ENABLED, _DISABLED, _OFFLINE = 0, 1, 2  # status argument of one.host.status
_STATE_OFFLINE = "8"
_RECREATE = 4  # operation of one.vm.recover
_MERGE = 1


def create(inv: Any) -> int:
    """Add a host; prints its id."""
    opts, path = inv.opts, inv.args.get("file")
    drivers = {"--im": opts.im or opts.type, "--vm": opts.vm or opts.type}
    missing = [name for name, value in drivers.items() if not value]
    if missing:
        raise CliError(
            f"onehost create: {' and '.join(missing)} missing: the drivers that monitor the host and run "
            "machines on it, such as kvm."
        )
    attributes = template_text.read(path) if path else ""
    cluster = -1 if opts.cluster is None else opts.cluster
    oid = inv.call("host.allocate", inv.args["hostname"], *drivers.values(), cluster)
    if attributes:
        inv.call("host.update", oid, attributes, _MERGE)
    inv.out(f"ID: {oid}")
    return 0


def flush(inv: Any) -> int:
    """Disable hosts and reschedule what runs on them (or what default_actions of onehost.yaml says)."""
    actions = listconf.read("onehost")[0].get("default_actions") or []
    recreates = any(str(action).partition(":")[2].strip() == "delete-recreate" for action in actions)
    chosen = {str(oid) for oid in inv.args["hostid_list"]}
    placed: dict[str, list[int]] = {oid: [] for oid in chosen}

    def collect(vm: Element) -> None:
        records = vm.findall("HISTORY_RECORDS/HISTORY")
        host = records[-1].findtext("HID", "") if records else ""
        if host in chosen:
            placed[host].append(int(vm.findtext("ID", "-1")))

    inv.visit(kinds.VM, collect)
    code = 0

    def empty(oid: int) -> None:
        nonlocal code
        inv.call("host.status", oid, _DISABLED)
        for vm in placed[str(oid)]:
            try:
                if recreates:
                    inv.call("vm.recover", vm, _RECREATE)
                else:
                    inv.call("vm.action", "resched", vm)
            except OneError as error:  # one that cannot be moved must not keep the others there
                inv.warn(str(error))
                code = EXIT_FAILURE

    return max(int(inv.each(inv.args["hostid_list"], empty)), code)


def forceupdate(inv: Any) -> int:
    """Monitor hosts at once: a host is monitored first when it comes back from offline."""
    failed = []
    for host in chosen_hosts(inv):
        oid = int(text_of(host, "ID"))
        try:
            inv.call("host.status", oid, _OFFLINE)
            inv.call("host.status", oid, _ENABLED)
        except OneError as error:
            failed.append(f"* {text_of(host, 'NAME')}: {error}")
    if failed:
        inv.warn("\n".join(["Failed to update the following hosts:", *failed]))
        return EXIT_FAILURE
    inv.out("All hosts updated successfully.")
    return 0


def chosen_hosts(inv: Any) -> Iterator[Element]:
    """The hosts that are named, those of --cluster, or all; none that are offline or in a public cloud."""
    named, cluster = inv.args.get("hostid_list"), inv.opts.cluster
    hosts: list[Element] = []
    inv.visit(kinds.HOST, hosts.append)
    unknown = set(named or ()) - {int(text_of(host, "ID")) for host in hosts}
    if unknown:
        raise CliError(f"There is no host {min(unknown)} that you may see.")
    for host in hosts:
        if named is not None and int(text_of(host, "ID")) not in named:
            continue
        if named is None and cluster is not None and text_of(host, "CLUSTER_ID") != str(cluster):
            continue
        if text_of(host, "TEMPLATE/PUBLIC_CLOUD") == "YES" or text_of(host, "STATE") == _STATE_OFFLINE:
            continue
        yield host


def import_vm(inv: Any) -> int:
    """Take over a machine that the host runs and the front-end did not start; prints its id."""
    oid, name = inv.args["hostid"], inv.args["name"]
    host = documents.parse(inv.info(oid))
    wilds = [vm for vm in host.findall("TEMPLATE/VM") if text_of(vm, "IMPORT_TEMPLATE")]
    found = [vm for vm in wilds if text_of(vm, "VM_NAME") == name]
    if not found:
        guess = hint(name, (text_of(vm, "VM_NAME") for vm in wilds))
        raise CliError(
            f"HOST {oid} has reported no machine named {name} that can be imported.{guess} "
            f"It says every few minutes which it runs, at once after: onehost enable {oid}"
        )
    if len(found) > 1:
        raise CliError(f"HOST {oid} runs {len(found)} machines named {name}; rename them there first.")
    if text_of(found[0], "VCENTER_TEMPLATE"):
        raise CliError(f"{name} is a vCenter machine, which this front-end does not manage.")
    vm = inv.call("vm.allocate", wild_template(found[0]), False)
    inv.call("vm.deploy", vm, oid, False, -1, "")
    inv.out(f"ID: {vm}")
    inv.tell(oid)
    return 0


def wild_template(wild: Element) -> str:
    """The template that a host's probe made for a machine. Raises CliError when it is damaged."""
    try:
        return base64.b64decode(text_of(wild, "IMPORT_TEMPLATE"), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise CliError(f"The template of {text_of(wild, 'VM_NAME')} is not base64 text.") from None
