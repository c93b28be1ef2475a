"""VM template methods."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import (
    ActionError,
    AllocateError,
    AuthorizationError,
    LockedError,
    NotFoundError,
    RequestError,
)
from services.oned.lifecycle import (
    boot,
    create_rights,
    image_copy,
    image_delete,
    image_use,
    sched_actions,
    use_rights,
    user_inputs,
)
from services.oned.lifecycle import instantiate as instantiation
from services.oned.lifecycle.create import parse, refuse_restricted, refused_as
from services.oned.lifecycle.create_disks import names_image
from services.oned.model.image import Image
from services.oned.model.vmtemplate import VMTemplate
from services.oned.store import pools

_REFUSALS = (AuthorizationError, NotFoundError, ActionError, RequestError, AllocateError, LockedError)
# A disk of a copied image is named by id alone.
_OTHER_NAMES = ("IMAGE", "IMAGE_UNAME", "IMAGE_UID", "OPENNEBULA_MANAGED")


def _store(call: Call, template: Template) -> VMTemplate:
    """Store a new template of the caller under its NAME. Raises RequestError."""
    name = template.get("NAME") or ""
    common.require_free_name(call, VMTemplate, name)
    made = VMTemplate(-1, name)
    common.own(call, made)
    template.remove("NAME")
    made.template = template
    pools.lose_first_oid_on_refusal(call.tx, VMTemplate.TABLE)
    _settle(call, made)
    made.insert(call.tx)
    return made


def _settle(call: Call, template: VMTemplate) -> None:
    """Check what a VM could not be made with. Raises RequestError."""
    sched_actions.check(template.template, forget_results=True)
    boot.check_raw(call.conf, template.template)


def _images(call: Call, template: VMTemplate) -> list[int]:
    """The images that the template's disks name, each once."""
    disks = template.template.vectors("DISK")
    found = (image_use.find(call.tx, disk, call.caller.uid) for disk in disks)
    return sorted({image_id for image_id in found if image_id is not None})


@method("one.template.allocate", "template:s")
def allocate(call: Call, text: str) -> int:
    """Create a VM template."""
    template = parse(text)
    refuse_restricted(call, template, "VM Template")
    call.authorize_create(VMTemplate)
    return _store(call, template).oid


@method("one.template.delete", "template_id:i recursive:b=0", Check(VMTemplate, Right.MANAGE, "template_id"))
def delete(call: Call, template_id: int, recursive: bool) -> int:
    """Delete a VM template; recursive: the images of its disks, too."""
    template = call.load(VMTemplate, template_id)
    template.delete(call.tx)
    common.forget(call, template)
    if recursive:
        problems = []
        for image_id in _images(call, template):
            try:
                image_delete.delete(call, image_id)
            except _REFUSALS as error:
                problems.append(f"{image_id} ({error.message})")
        if problems:
            raise ActionError(f"Cannot delete IMAGE: {', '.join(problems)}", template_id)
    return template_id


@method(
    "one.template.clone", "template_id:i name:s recursive:b=0", Check(VMTemplate, Right.USE, "template_id")
)
def clone(call: Call, template_id: int, name: str, recursive: bool) -> int:
    """Copy a VM template under another name, for the caller; recursive: the images of its disks, too."""
    return _clone(call, template_id, name, Template(), recursive)


def _clone(call: Call, template_id: int, name: str, extra: Template, recursive: bool) -> int:
    source = call.load(VMTemplate, template_id)
    copied = instantiation.merged(call, source, extra)
    copied.set("NAME", name)
    call.authorize(VMTemplate, Right.USE, template_id)
    call.authorize_create(VMTemplate)
    with refused_as(AllocateError):
        made = _store(call, copied)
    if recursive:
        # OpenNebula makes the template and the copies first and removes them when one cannot be made.
        pools.lose_oid_on_refusal(call.tx, VMTemplate.TABLE)
        _copy_images(call, made, name)
        made.save(call.tx)
    return made.oid


def _copy_images(call: Call, template: VMTemplate, name: str) -> None:
    """Give the template's disks copies of their images. Raises ActionError."""
    for number, disk in enumerate(template.template.vectors("DISK")):
        if not names_image(disk):
            continue
        try:
            image_id = image_use.resolve(call, disk)
            copy_id = image_copy.clone(call, image_id, f"{name}-disk-{number}")
            pools.lose_oid_on_refusal(call.tx, Image.TABLE)
        except _REFUSALS as error:
            raise ActionError(f"Failed to clone images: {error.message}") from None
        for other in _OTHER_NAMES:
            disk.pop(other, None)
        disk["IMAGE_ID"] = str(copy_id)


@method(
    "one.template.info",
    "template_id:i extended:b=0 decrypt:b=0",
    Check(VMTemplate, Right.USE, "template_id"),
    writes=False,
)
def info(call: Call, template_id: int, extended: bool, decrypt: bool) -> str:
    """The template's document; extended adds what its disks take over from images and datastores."""
    if not extended:
        return common.info(call, VMTemplate, template_id, decrypt)
    template = call.load(VMTemplate, template_id)
    create_rights.require(call, template.template, despite_locks=True)
    template.template = create_rights.with_images(call, template.template)
    return template.to_xml()


@method("one.templatepool.info", "filter_flag:i start_id:i end_id:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> PoolDocument:
    """The VM templates that fit, by owner, range of ids or page."""
    return common.pool_info(call, VMTemplate, filter_flag, start_id, end_id)


@method(
    "one.template.update",
    "template_id:i template:s update_type:i=0",
    Check(VMTemplate, Right.MANAGE, "template_id"),
)
def update(call: Call, template_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) the attributes of a VM template."""
    return common.update_template(
        call, VMTemplate, template_id, text, update_type, lambda changed: _settle(call, changed)
    )


@method("one.template.rename", "template_id:i name:s")
def rename(call: Call, template_id: int, name: str) -> int:
    """Rename a VM template."""
    return common.rename(call, VMTemplate, template_id, name, right=Right.MANAGE)


@method("one.template.chmod", common.CHMOD_PARAMS.format(id="template_id") + " recursive:b=0")
def chmod(call: Call, template_id: int, *values: int) -> int:
    """Change permission bits of a VM template; -1 leaves one as it is; recursive: of its images, too."""
    *bits, recursive = values
    common.chmod(call, VMTemplate, template_id, bits)
    if recursive:
        problems = []
        for image_id in _images(call, call.load(VMTemplate, template_id)):
            try:
                common.chmod(call, Image, image_id, bits)
            except _REFUSALS as error:
                problems.append(f"{image_id} ({error.message})")
        if problems:
            raise ActionError(f"Cannot chmod IMAGE: {', '.join(problems)}", template_id)
    return template_id


@method("one.template.chown", "template_id:i new_uid:i new_gid:i")
def chown(call: Call, template_id: int, uid: int, gid: int) -> int:
    """Give a VM template to a user, a group or both; -1 leaves one as it is."""
    return common.chown(call, VMTemplate, template_id, uid, gid)


# A lock must not stand against its own removal, so common checks the right, not the registry row.
@method("one.template.lock", "template_id:i level:i test:b=0")
def lock(call: Call, template_id: int, level: int, test: bool) -> int:
    """Lock a VM template against actions: level 1 use, 2 manage, 3 admin, 4 all."""
    return common.lock(call, VMTemplate, template_id, level, test)


@method("one.template.unlock", "template_id:i")
def unlock(call: Call, template_id: int) -> int:
    """Remove the lock of a VM template."""
    return common.unlock(call, VMTemplate, template_id)


# Rights are checked after other things, as in OpenNebula, and perhaps for another user (AS_UID).
@method(
    "one.template.instantiate",
    "template_id:i name:s= hold:b=0 extra_template:s= persistent:b=0",
)
def instantiate(call: Call, template_id: int, name: str, hold: bool, text: str, persistent: bool) -> int:
    """Create a VM from a template with further attributes; persistent: from a copy of it and its images."""
    source = use_rights.read(call, VMTemplate, template_id)
    if source.is_vrouter:
        raise ActionError("Virtual router templates cannot be instantiated", template_id)
    if not persistent:
        return instantiation.instantiate(call, template_id, name, hold, text)
    given = parse(text)
    user_inputs.check(source.template, given)
    copy_id = _clone(call, template_id, name or f"{source.name}-copy", given, recursive=True)
    return instantiation.instantiate(call, copy_id, name, hold, f"CLONING_TEMPLATE_ID={template_id}\n")
