"""Capacity and costs of a new VM: CPU, MEMORY, VCPU, their hot-plug limits, and the price of each.

Source: capacity and showback sections of the virtual machine template reference of release 6.0.
"""

from __future__ import annotations

from services.common.template import Template
from services.oned.errors import RequestError
from services.oned.lifecycle.numbers import decimal, decimal_text, whole

_HOT_PLUG_MEMORY = ("MEMORY_MAX", "MEMORY_SLOTS")
_COSTS = ("CPU_COST", "MEMORY_COST", "DISK_COST")


def move_capacity(user: Template, core: Template) -> None:
    """Move the capacity from what the user wrote to the core's part, numbers in their normal form.

    Limits and costs that are no numbers stay where they are, as any attribute of the user's.
    Raises RequestError naming the first attribute that cannot be used.
    """
    memory = whole(user.get("MEMORY"))
    if memory is None or memory <= 0:
        raise RequestError(_expected(user, "MEMORY", "a positive integer value"))
    _move(user, core, "MEMORY", str(memory))
    for name in _HOT_PLUG_MEMORY:
        _move_positive(user, core, name)
    cpu = decimal(user.get("CPU"))
    if cpu is None or cpu <= 0:
        raise RequestError(_expected(user, "CPU", "a positive float or integer value"))
    _move(user, core, "CPU", decimal_text(cpu))
    if user.get("VCPU"):
        vcpu = whole(user.get("VCPU"))
        if vcpu is None or vcpu <= 0:
            raise RequestError(_expected(user, "VCPU", "a positive integer value"))
        _move(user, core, "VCPU", str(vcpu))
    _move_positive(user, core, "VCPU_MAX")
    for name in _COSTS:
        cost = decimal(user.get(name))
        if cost is None:
            continue
        if cost < 0:
            raise RequestError(_expected(user, name, "a positive float or integer value"))
        _move(user, core, name, decimal_text(cost))


def _move_positive(user: Template, core: Template, name: str) -> None:
    number = whole(user.get(name))
    if number is not None and number > 0:
        _move(user, core, name, str(number))


def _move(user: Template, core: Template, name: str, text: str) -> None:
    user.remove(name)
    core.add(name, text)


def _expected(user: Template, name: str, what: str) -> str:
    text = user.get(name)
    found = "it is missing" if text is None else f"found {text[:40]!r}"
    return f"{name} attribute must be {what}, {found}."
