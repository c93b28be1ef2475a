"""VM template methods."""

from __future__ import annotations

from services.common.template import Template
from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, AllocateError, AuthorizationError, RequestError
from services.oned.lifecycle.create import create_vm
from services.oned.model import restricted
from services.oned.model.vmtemplate import VMTemplate

_NO_IMAGES = "disk images are not available in this version"


def _restricted(call: Call) -> dict[str, set[str]]:
    return restricted.names(call.conf.settings, "VM_RESTRICTED_ATTR")


def _store(call: Call, template: Template) -> int:
    """Store a new template of the caller under its NAME; its id. Raises RequestError."""
    name = template.get("NAME") or ""
    common.require_free_name(call, VMTemplate, name)
    made = VMTemplate(-1, name)
    common.own(call, made)
    template.remove("NAME")
    made.template = template
    return made.insert(call.tx)


def _refuse_images(template: VMTemplate, what: str) -> None:
    if template.uses_images:
        raise ActionError(f"{what} of virtual machine template {template.oid}: {_NO_IMAGES}.", template.oid)


@method("one.template.allocate", "template:s")
def allocate(call: Call, text: str) -> int:
    """Create a VM template."""
    template = Template.parse(text)
    call.authorize_create(VMTemplate)
    if not call.caller.is_admin:
        name = restricted.first_set(template, _restricted(call))
        if name:
            raise AuthorizationError(f"VM Template includes a restricted attribute {name}")
    return _store(call, template)


@method("one.template.delete", "template_id:i recursive:b=0", Check(VMTemplate, Right.MANAGE, "template_id"))
def delete(call: Call, template_id: int, recursive: bool) -> int:
    """Delete a VM template."""
    template = call.load(VMTemplate, template_id)
    if recursive:
        _refuse_images(template, "Recursive deletion")
    template.delete(call.tx)
    common.forget(call, template)
    return template_id


@method(
    "one.template.clone", "template_id:i name:s recursive:b=0", Check(VMTemplate, Right.USE, "template_id")
)
def clone(call: Call, template_id: int, name: str, recursive: bool) -> int:
    """Copy a VM template under another name, for the caller."""
    return _clone(call, template_id, name, Template(), recursive)


def _clone(call: Call, template_id: int, name: str, extra: Template, recursive: bool) -> int:
    call.authorize_create(VMTemplate)
    source = call.load(VMTemplate, template_id)
    if recursive:
        _refuse_images(source, "Cloning with images")
    copy = _merged(call, source, extra)
    copy.set("NAME", name)
    try:
        return _store(call, copy)
    except RequestError as error:
        raise AllocateError(error.message) from None


def _merged(call: Call, source: VMTemplate, extra: Template) -> Template:
    """The template with the attributes of a call on top. Raises AuthorizationError for restricted ones."""
    merged = source.template.copy()
    if len(extra):
        if not call.caller.is_admin:
            name = restricted.first_changed(extra, merged, _restricted(call))
            if name:
                raise AuthorizationError(f"User Template includes a restricted attribute {name}", source.oid)
        merged.merge(extra)
    return merged


@method(
    "one.template.info",
    "template_id:i extended:b=0 decrypt:b=0",
    Check(VMTemplate, Right.USE, "template_id"),
    writes=False,
)
def info(call: Call, template_id: int, extended: bool, decrypt: bool) -> str:
    """The template's document; extended adds what its disks take over from images and datastores."""
    # Only disks of images have something to take over, and this version has none.
    return call.body(VMTemplate, template_id)


@method("one.templatepool.info", "filter_flag:i start_id:i end_id:i", writes=False)
def pool_info(call: Call, filter_flag: int, start_id: int, end_id: int) -> str:
    """The VM templates that fit, by owner, range of ids or page."""
    return common.pool_info(call, VMTemplate, filter_flag, start_id, end_id)


@method(
    "one.template.update",
    "template_id:i template:s update_type:i=0",
    Check(VMTemplate, Right.MANAGE, "template_id"),
)
def update(call: Call, template_id: int, text: str, update_type: int) -> int:
    """Replace (0) or extend (1) the attributes of a VM template."""
    return common.update_template(call, VMTemplate, template_id, text, update_type)


@method("one.template.rename", "template_id:i name:s", Check(VMTemplate, Right.MANAGE, "template_id"))
def rename(call: Call, template_id: int, name: str) -> int:
    """Rename a VM template."""
    return common.rename(call, VMTemplate, template_id, name)


@method("one.template.chmod", common.CHMOD_PARAMS.format(id="template_id") + " recursive:b=0")
def chmod(call: Call, template_id: int, *values: int) -> int:
    """Change permission bits of a VM template; -1 leaves one as it is."""
    *bits, recursive = values
    common.chmod(call, VMTemplate, template_id, bits)
    if recursive:
        _refuse_images(call.load(VMTemplate, template_id), "Recursive chmod")
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


@method(
    "one.template.instantiate",
    "template_id:i name:s= hold:b=0 extra_template:s= persistent:b=0",
    Check(VMTemplate, Right.USE, "template_id"),
)
def instantiate(call: Call, template_id: int, name: str, hold: bool, text: str, persistent: bool) -> int:
    """Create a VM from a template, with further attributes, or from a copy of the template (persistent)."""
    extra = Template.parse(text)
    source = call.load(VMTemplate, template_id)
    if source.is_vrouter:
        raise ActionError("Virtual router templates cannot be instantiated", template_id)
    if persistent:
        copy_id = _clone(call, template_id, name or f"{source.name}-copy", extra, recursive=True)
        extra = Template([("CLONING_TEMPLATE_ID", str(template_id))])
        source = VMTemplate.load(call.tx, copy_id)
    elif len(extra):
        call.authorize_create(VMTemplate)
    merged = _merged(call, source, extra)
    for attribute in ("NAME", "TEMPLATE_NAME"):
        merged.remove(attribute)
    merged.set("TEMPLATE_NAME", source.name)
    merged.set("TEMPLATE_ID", str(source.oid))
    try:
        return create_vm(call, merged, name, hold, name_prefix=source.name)
    except (RequestError, ActionError) as error:
        raise AllocateError(error.message, error.object_id) from None
