"""Public clouds that a VM may go to: PUBLIC_CLOUD vectors, and EC2, their old form.

Source: public cloud section of the virtual machine template reference of release 6.0.
"""

from __future__ import annotations

from services.common.template import Template
from services.oned.lifecycle.variables import substitute_vector
from services.oned.model.vm import VM
from services.oned.store import Tx

_NAMES = ("PUBLIC_CLOUD", "EC2")


def settle(tx: Tx, vm: VM) -> None:
    """Replace the variables in the VM's cloud vectors, and drop what is none. Raises RequestError."""
    for name in _NAMES:
        vectors = vm.user_template.vectors(name)
        vm.user_template.remove(name)
        for vector in vectors:
            vm.user_template.add(name, substitute_vector(tx, vm, vector))


def hypervisors(user: Template) -> list[str]:
    """The hypervisor words of the clouds that a template allows, each once, sorted."""
    return sorted({vector["TYPE"] for vector in user.vectors("PUBLIC_CLOUD") if vector.get("TYPE")})
