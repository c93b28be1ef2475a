"""A machine's screen, through the proxy of the front-end that this command runs on."""

from __future__ import annotations

import ipaddress
import platform
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

from services.cli import documents
from services.cli.errors import CliError
from services.consoles import tokens

_SCREENS = ("vnc", "spice")
_ACTIVE = 3
# In these the machine runs: RUNNING, MIGRATE, SHUTDOWN, CANCEL, UNKNOWN, HOTPLUG and their like.
_RUNS = frozenset({3, 4, 12, 13, 16, 17, 18, 24, 25, 26, 27, 28, 29, 57, 58, 62})


def vnc(inv: Any) -> int:
    """Print where a browser finds the machine's screen, for the next minutes."""
    oid = inv.args["vmid"]
    vm = documents.parse(inv.call("vm.info", oid, False))
    host, port = _screen(vm, oid)
    try:
        proxy = tokens.announced()
        if proxy is None:
            raise CliError("No console proxy runs here: see the program opennebula-novnc of the front-end.")
        token = tokens.issue(oid, host, port)
    except tokens.TokenError as error:
        raise CliError(f"{error}.") from None
    for line in _lines(vm, proxy, token, proxy.host or platform.node()):
        inv.out(line)
    return 0


def _screen(vm: Element, oid: int) -> tuple[str, int]:
    """Host and port of its screen."""
    state, lcm_state = documents.number_of(vm, "STATE"), documents.number_of(vm, "LCM_STATE")
    if state != _ACTIVE or lcm_state not in _RUNS:
        raise CliError(f"VM {oid} does not run (state {state}, LCM state {lcm_state}).")
    kind = documents.text_of(vm, "TEMPLATE/GRAPHICS/TYPE").lower()
    if kind not in _SCREENS:
        raise CliError(f"VM {oid} has no screen: GRAPHICS of TYPE vnc or spice is needed, found {kind!r}.")
    if _is_loopback(documents.text_of(vm, "TEMPLATE/GRAPHICS/LISTEN")):
        raise CliError(
            f"VM {oid}: its screen can be reached from its host alone; "
            'GRAPHICS needs LISTEN = "0.0.0.0", or an address of the host.'
        )
    records = vm.findall("HISTORY_RECORDS/HISTORY")
    if not records:
        raise CliError(f"VM {oid} is on no host.")
    return documents.text_of(records[-1], "HOSTNAME"), documents.number_of(vm, "TEMPLATE/GRAPHICS/PORT")


def _is_loopback(listen: str) -> bool:
    try:
        return ipaddress.ip_address(listen or "127.0.0.1").is_loopback
    except ValueError:
        return listen == "localhost"


def _lines(vm: Element, proxy: tokens.Proxy, token: str, front_end: str) -> list[str]:
    name = f"[{front_end}]" if ":" in front_end else front_end
    place, secure = f"{name}:{proxy.port}", "s" if proxy.is_tls else ""
    lines = [f"WEBSOCKET: ws{secure}://{place}/?token={token}"]
    if proxy.has_pages:
        path = quote(f"?token={token}", safe="")
        lines.append(f"BROWSER:   http{secure}://{place}/vnc.html?path={path}")
    password = documents.text_of(vm, "TEMPLATE/GRAPHICS/PASSWD")
    if password:
        lines.append(f"PASSWORD:  {password}")
    lines.append(f"The address is good for {tokens.TTL_S // 60} minutes.")
    return lines
