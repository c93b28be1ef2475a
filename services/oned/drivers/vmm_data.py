"""The documents that hypervisor and network actions read.

Source: driver message of release 6.0.0.3 (VMM_DRIVER_ACTION_DATA); what its virtual machine driver hands on
to network drivers.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common import xmldoc
from services.common.template import Template
from services.oned.drivers.vm_context import Place, VmContext
from services.oned.model.datastore import Datastore

# A single argument of a process may have 128 KiB; in base64 four characters stand for three.
_ARGUMENT_MAX = 90_000
_ROOT = "VMM_DRIVER_ACTION_DATA"
_RECORD = ("HOSTNAME", "HID", "DS_ID", "VM_MAD")


@dataclass(frozen=True, slots=True)
class Message:
    """What an operation's message says besides VM and datastore; empty parts are empty elements.

    is_clear: the VM's secrets are in clear, for drivers that configure the guest by this document.
    """

    migrate_to: str = ""
    deploy_id: str = ""
    deployment_file: str = ""  # its name in the VM's folder
    checkpoint: str = ""
    tm_command: str = ""
    tm_rollback: str = ""
    disk_path: str = ""
    is_clear: bool = False


def action_xml(context: VmContext, place: Place, said: Message) -> str:
    """The action XML of an operation at a place: its names and paths, the VM, the system datastore."""
    return _document(context, place, said, context.clear_xml if said.is_clear else context.vm_xml)


def short_action_xml(context: VmContext, place: Place, said: Message) -> str:
    """The action XML as an argument: without the user's part where it would be too long for one."""
    text = action_xml(context, place, said)
    if len(text.encode()) <= _ARGUMENT_MAX:
        return text
    kept = xmldoc.parse(context.vm_xml, "VM")
    for name in ("USER_TEMPLATE", "MONITORING"):
        for element in kept.findall(name):
            element.clear()
    return _document(context, place, said, xmldoc.etree.tostring(kept, encoding="unicode"))


def _document(context: VmContext, place: Place, said: Message, vm_xml: str) -> str:
    name = said.deployment_file
    parts = {
        "HOST": place.host,
        "MIGR_HOST": said.migrate_to,
        "DEPLOY_ID": said.deploy_id,
        "LOCAL_DEPLOYMENT_FILE": str(context.front_end_folder / name) if name else "",
        "REMOTE_DEPLOYMENT_FILE": f"{place.folder}/{name}" if name else "",
        "CHECKPOINT_FILE": said.checkpoint,
        "TM_COMMAND": said.tm_command,
        "TM_COMMAND_ROLLBACK": said.tm_rollback,
        "DISK_TARGET_PATH": said.disk_path,
    }
    inner = "".join(
        f"<{tag}>{xmldoc.escape(text)}</{tag}>" if text else f"<{tag}/>" for tag, text in parts.items()
    )
    datastore = system_datastore(context, place)
    return f"<{_ROOT}>{inner}{vm_xml}{datastore}</{_ROOT}>"


def system_datastore(context: VmContext, place: Place) -> str:
    """The document of a place's system datastore; empty when there is none."""
    return context.reader.body(Datastore.TABLE, place.ds_id) or ""


def network_xml(context: VmContext, *, is_clear: bool = False) -> str:
    """The parts of the VM that network drivers get."""
    root = xmldoc.parse(context.clear_xml if is_clear else context.vm_xml, "VM")
    template = root.find("TEMPLATE")
    parts = []
    for name in ("CONTEXT", "SECURITY_GROUP_RULE", "NIC", "NIC_ALIAS"):
        for element in template.findall(name) if template is not None else ():
            if name.startswith("NIC") and not element.findtext("VN_MAD"):
                continue
            parts.append(xmldoc.etree.tostring(element, encoding="unicode", with_tail=False))
    user = Template.from_element(root.find("USER_TEMPLATE")).to_xml("USER_TEMPLATE")
    record = root.find("HISTORY_RECORDS/HISTORY")
    place = "".join(
        f"<{name}>{xmldoc.escape(record.findtext(name) or '')}</{name}>"
        for name in _RECORD
        if record is not None
    )
    return (
        f"<VM><ID>{context.vm_id}</ID><DEPLOY_ID>{xmldoc.escape(context.vm.deploy_id)}</DEPLOY_ID>"
        f"<TEMPLATE>{''.join(parts)}</TEMPLATE>{user}"
        f"<HISTORY_RECORDS><HISTORY>{place}</HISTORY></HISTORY_RECORDS></VM>"
    )
