"""What onevnet does beyond a single call."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import documents, kinds, template_text, vnet_options
from services.cli.errors import CliError
from services.cli.template_text import quote, vector

# What the front-end computes of an address range, and refuses or ignores in an update.
_COMPUTED = (
    "LEASES",
    "USED_LEASES",
    "MAC_END",
    "IP_END",
    "IP6_END",
    "IP6_ULA",
    "IP6_ULA_END",
    "IP6_GLOBAL",
    "IP6_GLOBAL_END",
)


def create(inv: Any) -> int:
    """Add a network; prints its id."""
    cluster = -1 if inv.opts.cluster is None else inv.opts.cluster
    inv.out(f"ID: {inv.call('vn.allocate', template_text.read(inv.args.get('file')), cluster)}")
    return 0


def addar(inv: Any) -> int:
    """Add an address range, from a file, standard input or options."""
    oid, path = inv.args["vnetid"], inv.args.get("file")
    if path is not None and vnet_options.is_used(inv.opts):
        raise CliError("onevnet addar: give a file or options, not both.")
    described = vnet_options.is_used(inv.opts)
    text = vnet_options.address_range(inv.opts) if described else template_text.read(path)
    inv.call("vn.add_ar", oid, text)
    inv.tell(oid)
    return 0


def updatear(inv: Any) -> int:
    """Replace or extend the attributes of an address range."""
    oid, range_id = inv.args["vnetid"], inv.args["ar_id"]
    found = next((ar for ar in _ranges(inv, oid) if ar.findtext("AR_ID") == str(range_id)), None)
    if found is None:
        raise CliError(f"VNET {oid} has no address range {range_id}.")
    pairs = [(part.tag, part.text or "") for part in found if part.tag not in _COMPUTED]

    def present() -> str:
        return "\n".join(f"{name}={quote(value)}" for name, value in pairs)

    text = template_text.obtain(inv, present, inv.args.get("file"), bool(inv.opts.append))
    if text is None:
        inv.warn("Nothing was changed.")
        return 0
    if not text.replace(" ", "").lstrip().startswith("AR=["):
        kept = [pair for pair in pairs if inv.opts.append or pair[0] == "AR_ID"]
        text = _merged(kept, text)
    inv.call("vn.update_ar", oid, text)
    inv.tell(oid)
    return 0


def _merged(kept: list[tuple[str, str]], text: str) -> str:
    """One address range of attributes kept and those of the lines NAME=VALUE, which count more."""
    named: dict[str, str] = dict(kept)
    for line in text.splitlines():
        name, equals, value = line.strip().rstrip(",").partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not equals or not name.strip():
            raise CliError(f"Expected NAME=VALUE in each line of an address range, found {line.strip()!r}.")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        named[name.strip().upper()] = value
    return vector("AR", list(named.items()))


def addleases(inv: Any) -> int:
    """Add one IPv4 address as a range of its own."""
    oid, ip, mac = inv.args["vnetid"], inv.args["ip"], inv.args.get("mac")
    if _single_ranges(inv, oid, ip):
        raise CliError(f"VNET {oid}: there is already an address range for {ip}.")
    parts = [("TYPE", "IP4"), ("IP", ip), *([("MAC", mac)] if mac else []), ("SIZE", "1")]
    inv.call("vn.add_ar", oid, vector("AR", parts))
    inv.tell(oid)
    return 0


def rmleases(inv: Any) -> int:
    """Remove the range that holds one address and nothing else."""
    oid, ip = inv.args["vnetid"], inv.args["ip"]
    found = _single_ranges(inv, oid, ip)
    if not found:
        raise CliError(f"VNET {oid}: there is no address range with {ip} alone.")
    if len(found) > 1:
        raise CliError(f"VNET {oid}: address ranges {', '.join(found)} hold {ip}; use rmar.")
    inv.call("vn.rm_ar", oid, int(found[0]), False)
    inv.tell(oid)
    return 0


def _ranges(inv: Any, oid: int) -> list[Element]:
    return documents.parse(inv.info(oid)).findall("AR_POOL/AR")


def _single_ranges(inv: Any, oid: int, ip: str) -> list[str]:
    return [
        ar.findtext("AR_ID", "")
        for ar in _ranges(inv, oid)
        if ar.findtext("IP") == ip and ar.findtext("SIZE") == "1"
    ]


def reserve(inv: Any) -> int:
    """Reserve addresses; prints the id of the network that holds them."""
    opts, target = inv.opts, inv.args.get("reservation")
    if opts.size is None:
        raise CliError("onevnet reserve: --size is missing (the number of addresses).")
    if opts.name is None and target is None:
        raise CliError("onevnet reserve: --name is missing (the new network's), or name a reservation.")
    lines = [f"SIZE={opts.size}"]
    if opts.name is not None:
        lines.append(f"NAME={quote(opts.name)}")
    if opts.address_range is not None:
        lines.append(f"AR_ID={opts.address_range}")
    if target is not None:
        lines.append(f"NETWORK_ID={target}")
    address = opts.ip6 or opts.ip or opts.mac
    if address is not None:
        lines.append(f"{vnet_options.address_name(address)}={quote(address)}")
    inv.out(f"Reservation VNET ID: {inv.call('vn.reserve', inv.args['vnetid'], chr(10).join(lines))}")
    return 0


def orphans(inv: Any) -> int:
    """Print the ids of networks that no NIC of a VM template names."""
    named: set[tuple[str, ...]] = set()

    def use(template: Element) -> None:
        for nic in template.findall("TEMPLATE/NIC"):
            network_id, network = nic.findtext("NETWORK_ID"), nic.findtext("NETWORK")
            if network_id:
                named.add((network_id,))
            if network:
                named.add((network, nic.findtext("NETWORK_UNAME") or template.findtext("UNAME") or ""))

    inv.visit(kinds.TEMPLATE, use)
    unused: list[str] = []

    def check(network: Element) -> None:
        by_name = (network.findtext("NAME", ""), network.findtext("UNAME", ""))
        if (network.findtext("ID", ""),) not in named and by_name not in named:
            unused.append(network.findtext("ID", ""))

    inv.visit(kinds.VNET, check)
    for oid in unused:
        inv.out(oid)
    return 0
