"""The CONTEXT of a VM: what its guest is told. Variables, network settings, files, OneGate access.

This is the document's side; files and the disk image that carry it into the guest are made by drivers.
Source: contextualization section of the virtual machine template reference of release 6.0; documents of real
databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.template import Vector
from services.oned.errors import RequestError
from services.oned.lifecycle import file_images
from services.oned.lifecycle.numbers import is_yes
from services.oned.lifecycle.variables import Documents, network_attribute, substitute, substitute_vector
from services.oned.model.image import ImageType
from services.oned.model.vm import VM
from services.oned.store import Tx

if TYPE_CHECKING:  # the API package imports this one
    from services.oned.api.call import Call

VROUTER_ATTRIBUTES = ("VROUTER_ID", "VROUTER_KEEPALIVED_ID", "VROUTER_KEEPALIVED_PASSWORD")


@dataclass(frozen=True, slots=True)
class _Setting:
    """One guest setting of an interface: its name, and the NIC's attributes that say it, the first that does.

    in_network: the network's address range, or the network, may say it too.
    """

    name: str
    sources: tuple[str, ...]
    in_network: bool = False


_SETTINGS = (
    _Setting("IP", ("IP",)),
    _Setting("MAC", ("MAC",)),
    _Setting("MASK", ("NETWORK_MASK",), in_network=True),
    _Setting("NETWORK", ("NETWORK_ADDRESS",), in_network=True),
    _Setting("GATEWAY", ("GATEWAY",), in_network=True),
    _Setting("DNS", ("DNS",), in_network=True),
    _Setting("SEARCH_DOMAIN", ("SEARCH_DOMAIN",), in_network=True),
    _Setting("MTU", ("GUEST_MTU",), in_network=True),
    _Setting("METRIC", ("METRIC",), in_network=True),
    _Setting("VLAN_ID", ("VLAN_ID",), in_network=True),
    _Setting("VROUTER_IP", ("VROUTER_IP",)),
    _Setting("VROUTER_MANAGEMENT", ("VROUTER_MANAGEMENT",)),
    _Setting("EXTERNAL", ("EXTERNAL",)),
    _Setting("IP6", ("IP6_GLOBAL", "IP6")),
    _Setting("IP6_ULA", ("IP6_ULA",)),
    _Setting("GATEWAY6", ("GATEWAY6",), in_network=True),
    _Setting("METRIC6", ("METRIC6",), in_network=True),
    _Setting("CONTEXT_FORCE_IPV4", ("CONTEXT_FORCE_IPV4",), in_network=True),
    _Setting("IP6_PREFIX_LENGTH", ("PREFIX_LENGTH",), in_network=True),
    _Setting("VROUTER_IP6", ("VROUTER_IP6_GLOBAL", "VROUTER_IP6")),
)


def settle(call: Call, vm: VM, *, auto_nics: bool = False) -> None:
    """Complete the first CONTEXT of a VM whose disks and interfaces are settled; nothing without one.

    auto_nics: write the settings of interfaces in automatic mode, too (they have a network by then).
    Raises RequestError for variables that cannot be read, files that cannot be used, and TOKEN without
    ONEGATE_ENDPOINT in oned.conf.
    """
    given = vm.template.get_vector("CONTEXT")
    if given is None:
        return
    documents = Documents(call.tx)
    context = {name: text for name, text in given.items() if name != "FILES_DS"}
    context = substitute_vector(call.tx, vm, context, documents)
    vm.template.set("CONTEXT", context)
    context = vm.template.vectors("CONTEXT")[0]
    write_network(call.tx, vm, auto_nics=auto_nics, documents=documents)
    _write_devices(vm, context)
    if given.get("FILES_DS"):
        _write_files(call, vm, context, given["FILES_DS"])
    if is_yes(context.get("TOKEN")):
        _write_token(call, vm, context)
    for name in VROUTER_ATTRIBUTES:
        text = vm.template.get(name)
        if text:
            context[name] = text


def write_network(tx: Tx, vm: VM, *, auto_nics: bool, documents: Documents | None = None) -> None:
    """Write the settings of each interface and alias (``ETH0_IP``, ``ETH0_ALIAS0_IP``) if NETWORK is YES.

    auto_nics: those in automatic mode, too. Raises RequestError for variables that cannot be read.
    """
    context = vm.template.get_vector("CONTEXT")
    if context is None or not is_yes(context.get("NETWORK")):
        return
    documents = documents or Documents(tx)
    for kind in ("NIC", "NIC_ALIAS"):
        for nic in vm.template.vectors(kind):
            if nic.get("NETWORK_MODE", "").upper() == "AUTO" and not auto_nics:
                continue
            prefix = _alias_prefix(nic) if kind == "NIC_ALIAS" else f"ETH{nic.get('NIC_ID', '')}_"
            for setting in _SETTINGS:
                context[prefix + setting.name] = _setting(tx, vm, nic, setting, documents)


def forget_nic(vm: VM, nic: Vector, *, alias: bool) -> None:
    """Remove the settings of an interface or alias that is gone."""
    context = vm.template.get_vector("CONTEXT")
    if context is None:
        return
    prefix = _alias_prefix(nic) if alias else f"ETH{nic.get('NIC_ID', '')}_"
    for setting in _SETTINGS:
        context.pop(prefix + setting.name, None)


def _alias_prefix(nic: Vector) -> str:
    return f"ETH{nic.get('PARENT_ID', '')}_ALIAS{nic.get('ALIAS_ID', '')}_"


def _setting(tx: Tx, vm: VM, nic: Vector, setting: _Setting, documents: Documents) -> str:
    said = next((nic[source] for source in setting.sources if nic.get(source)), "")
    if said:
        return substitute(tx, vm, said, documents) if "$" in said else said
    if not setting.in_network:
        return ""
    return network_attribute(vm, setting.sources[0], "NIC_ID", nic.get("NIC_ID", ""), documents)


def _write_devices(vm: VM, context: Vector) -> None:
    """Where the guest finds PCI devices, and the settings of those that are network cards."""
    for device in vm.template.vectors("PCI"):
        prefix = f"PCI{device.get('PCI_ID', '')}_"
        if is_yes(context.get("NETWORK")) and device.get("TYPE") == "NIC":
            for setting in _SETTINGS:
                said = next((device[source] for source in setting.sources if device.get(source)), "")
                if said:
                    context[prefix + setting.name] = said
        if device.get("VM_ADDRESS"):
            context[f"{prefix}ADDRESS"] = device["VM_ADDRESS"]


def _write_files(call: Call, vm: VM, context: Vector, text: str) -> None:
    images = file_images.find(call, vm, text, ImageType.CONTEXT)
    for image in images:
        # At a blank the next file begins; it would be one of the front-end, whichever the name says.
        if any(letter.isspace() for letter in image.name):
            raise RequestError(
                f"Image {image.oid} cannot be a file of a CONTEXT: its name {image.name[:80]!r} has blanks; "
                "rename it"
            )
    if images:
        context["FILES_DS"] = "".join(f"{image.source}:'{image.name}' " for image in images)


def _write_token(call: Call, vm: VM, context: Vector) -> None:
    endpoint = call.conf.settings.get("ONEGATE_ENDPOINT")
    if not endpoint:
        raise RequestError("TOKEN set, but onegate endpoint was not defined in oned.conf.")
    context["ONEGATE_ENDPOINT"] = endpoint
    context["VMID"] = str(vm.oid)
    # The token is made with a secret of the one who created the VM, whoever owns it later.
    vm.template.set("CREATED_BY", str(vm.uid))
