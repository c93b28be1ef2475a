"""How a VM is reached: ssh to it, and the ports of its host that lead to its own."""

from __future__ import annotations

import os
import shlex
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import documents
from services.cli.errors import CliError

_SSH_PORT = 22
_FIRST_PORT = 1  # of the machine, which the first forwarded port leads to


def ssh(inv: Any) -> int:
    """Become ssh to the machine; its exit code is ours."""
    vm, nic = _machine(inv)
    login, oid = inv.args.get("login") or "root", inv.args["vmid"]
    if documents.text_of(nic, "EXTERNAL_PORT_RANGE"):
        start, _ = _bounds(nic, oid, "EXTERNAL_PORT_RANGE", ":")
        address, port = _host(vm, oid), start + _SSH_PORT - _FIRST_PORT
    else:
        address, port = _address(nic, oid), _SSH_PORT
    command = ["ssh", *shlex.split(inv.opts.ssh_options or ""), "-p", str(port), "--", f"{login}@{address}"]
    if inv.opts.cmd:
        command.append(inv.opts.cmd)
    try:
        os.execvp("ssh", command)
    except OSError as error:
        raise CliError(f"ssh cannot be started: {error.strerror}.") from None


def port_forward(inv: Any) -> int:
    """Print which ports of the host lead to the machine."""
    vm, nic = _machine(inv)
    oid = inv.args["vmid"]
    if not documents.text_of(nic, "EXTERNAL_PORT_RANGE"):
        raise CliError(f"VM {oid}: no ports of the host are forwarded to this interface.")
    outer, outer_end = _bounds(nic, oid, "EXTERNAL_PORT_RANGE", ":")
    address, port = _host(vm, oid), inv.args.get("port")
    if port is not None:
        inv.out(f"{address}@{outer + port - _FIRST_PORT} -> {port}")
        return 0
    inner, inner_end = _bounds(nic, oid, "INTERNAL_PORT_RANGE", "-")
    for offset in range(min(outer_end - outer, inner_end - inner) + 1):
        inv.out(f"{address}@{outer + offset} -> {inner + offset}")
    return 0


def _machine(inv: Any) -> tuple[Element, Element]:
    """The machine, and the interface that is named, marked with SSH=YES, or first."""
    oid, wanted = inv.args["vmid"], inv.opts.nic_id
    vm = documents.parse(inv.call("vm.info", oid, False))
    nics = vm.findall("TEMPLATE/NIC")
    if wanted is not None:
        found = [nic for nic in nics if documents.text_of(nic, "NIC_ID") == str(wanted)]
        if not found:
            raise CliError(f"VM {oid} has no interface {wanted}.")
        return vm, found[0]
    marked = [nic for nic in nics if documents.text_of(nic, "SSH").upper() == "YES"]
    if not nics:
        raise CliError(f"VM {oid} has no interface.")
    return vm, (marked or nics)[0]


def _address(nic: Element, oid: int) -> str:
    for name in ("EXTERNAL_IP", "IP", "IP6", "IP6_GLOBAL", "IP6_ULA"):
        found = documents.text_of(nic, name)
        if found:
            return found
    raise CliError(f"VM {oid}: interface {documents.text_of(nic, 'NIC_ID')} has no address.")


def _host(vm: Element, oid: int) -> str:
    records = vm.findall("HISTORY_RECORDS/HISTORY")
    if not records:
        raise CliError(f"VM {oid} is on no host.")
    return documents.text_of(records[-1], "HOSTNAME")


def _bounds(nic: Element, oid: int, name: str, separator: str) -> tuple[int, int]:
    """First and last port of a range such as 9000:9100 or 1-100/tcp."""
    text = documents.text_of(nic, name)
    first, _, last = text.partition("/")[0].partition(separator)
    if not first.isdigit() or not last.isdigit():
        raise CliError(f"VM {oid}: {name} is {text!r}, expected FIRST{separator}LAST.")
    return int(first), int(last)
