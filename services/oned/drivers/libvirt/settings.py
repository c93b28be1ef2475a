"""What a machine is made with, where its own document leaves it open.

Source: precedence of the virtual machine manager of release 6.0.0.3 (VM, host, cluster, driver's defaults).
"""

from __future__ import annotations

from dataclasses import dataclass

from services.common import config, paths, xmldoc
from services.common.template import Template, TemplateError, Vector, is_yes
from services.oned.drivers.step import PlanError
from services.oned.drivers.vm_context import VmContext
from services.oned.lifecycle.numbers import whole
from services.oned.model.cluster import Cluster
from services.oned.model.host import Host


@dataclass(frozen=True)
class Settings:
    """Attributes by name, or by name and part (``FEATURES``, ``ACPI``), of the first that has them.

    vm: the core's part of the VM, secrets in clear. places: host, cluster and the driver's defaults, in this
    order. label names the VM in errors.
    """

    label: str
    vm: Template
    places: tuple[Template, ...]

    @classmethod
    def of(cls, context: VmContext) -> Settings:
        """Those of a VM at the host that it is on. Raises PlanError for defaults that cannot be read."""
        label = f"vm {context.vm_id}"
        vm = Template.from_element(xmldoc.parse(context.clear_xml, label).find("TEMPLATE"))
        record = context.record
        stored = (
            context.reader.body(table, oid)
            for table, oid in ((Host.TABLE, record.hid), (Cluster.TABLE, record.cid))
        )
        places = [Template.from_element(xmldoc.parse(body).find("TEMPLATE")) for body in stored if body]
        return cls(label, vm, (*places, _defaults(context)))

    def text(self, name: str, part: str = "") -> str:
        """The text of the VM or its place; '' where none says anything."""
        return _first((self.vm, *self.places), name, part)

    def default(self, name: str, part: str = "") -> str:
        """The same without the VM: what holds for each of its disks or interfaces."""
        return _first(self.places, name, part)

    def is_set(self, name: str, part: str) -> bool:
        """Whether it means yes."""
        return is_yes(self.text(name, part))

    def number(self, name: str, part: str = "") -> int:
        """A whole number, 0 where none says anything. Raises PlanError."""
        what = f"{name}/{part}" if part else name
        return self.checked(what, self.text(name, part)) or 0

    def of_vector(self, name: str, vector: Vector, part: str) -> str:
        """A part of one of the VM's vectors, or its default."""
        return vector.get(part, "") or self.default(name, part)

    def checked(self, what: str, text: str) -> int | None:
        """A text as a whole number, None for ''. Raises PlanError naming ``what`` for any other."""
        if not text:
            return None
        value = whole(text)
        if value is None or value < 0:
            raise PlanError(f"{self.label}: {what} must be a whole number, found {text[:40]!r}")
        return value


def _first(templates: tuple[Template, ...], name: str, part: str) -> str:
    for template in templates:
        text = (template.get_vector(name) or {}).get(part) if part else template.get(name)
        if text:
            return text
    return ""


def _defaults(context: VmContext) -> Template:
    """The file that DEFAULT of the VM_MAD section names, and over it the section's own attributes."""
    section = context.drivers.conf.driver("VM_MAD", context.vmm.name) or {}
    defaults = Template()
    if section.get("DEFAULT"):
        try:
            defaults = config.read(paths.etc() / section["DEFAULT"])
        except (config.ConfigError, TemplateError) as error:
            raise PlanError(f"VM_MAD {context.vmm.name}: DEFAULT {error}") from None
    for name, value in section.items():
        defaults.set(name, value)
    return defaults
