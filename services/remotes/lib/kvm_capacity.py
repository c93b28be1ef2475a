"""More or fewer processors and memory for a running machine.

Memory comes and goes as modules (DIMM) of the difference. What is there already is read from the domain, so
that a second run changes nothing.
Source: commands and order of release 6.0.0.3.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

import kvm_disks
import kvm_message
import kvm_node
import kvm_settings
from driver import DriverError
from kvm_virsh import Virsh

# Units that libvirt writes in its own documents.
_KIB = {"KiB": 1, "MiB": 1024, "GiB": 1024 * 1024}

# What changes a capacity, what it was, and what it shall be.
Step = tuple[Callable[[Virsh, str, int], None], int, int]


def resize(argv: Sequence[str]) -> None:
    """DEPLOY_ID VM_ID HOST, the message on standard input: the machine gets VCPU and MEMORY of its VM."""
    domain, vm_id = kvm_node.arguments(argv, "DEPLOY_ID VM_ID")
    message = kvm_message.of_stdin()
    memory_mib = _number(message, vm_id, "MEMORY")
    processors = _number(message, vm_id, "VCPU")
    settings = kvm_settings.load()
    virsh = Virsh(settings)
    with kvm_node.alone(vm_id):
        virsh.require_active(domain)
        found = virsh.xml(domain)
        steps: list[Step] = []
        if memory_mib and memory_mib != _number(message, vm_id, "RESIZE/MEMORY"):
            steps.append((_resize_memory, _kib(found.find("memory")) // 1024, memory_mib))
        if processors:
            steps.append((_resize_processors, _processors(found), processors))
        _run(virsh, domain, steps)


def _run(virsh: Virsh, domain: str, steps: list[Step]) -> None:
    """What takes something away first, for a guest may refuse that; then what was done is undone."""
    done: list[Step] = []
    for change, was, wanted in sorted(steps, key=lambda step: step[2] > step[1]):
        try:
            change(virsh, domain, wanted)
        except DriverError as error:
            for undo, before, _ in reversed(done):
                with contextlib.suppress(DriverError):
                    undo(virsh, domain, before)
            name = "MEMORY" if change is _resize_memory else "VCPU"
            raise DriverError(
                f"Could not change {name} of domain {domain} from {was} to {wanted}: {error}"
            ) from None
        done.append((change, was, wanted))


def _number(message: Element, vm_id: str, name: str) -> int:
    text = kvm_message.text_of(message, f"VM/TEMPLATE/{name}")
    if text and not (text.isascii() and text.isdigit()):
        raise DriverError(f"{name} of vm {vm_id} must be a whole number, found {text!r}")
    return int(text or 0)


def _processors(found: Element) -> int:
    element = found.find("vcpu")
    if element is None:
        return 1
    return int(element.get("current") or element.text or 1)


def _resize_processors(virsh: Virsh, domain: str, count: int) -> None:
    if count != _processors(virsh.xml(domain)):
        virsh.call("setvcpus", f"--domain={domain}", f"--count={count}", "--live", "--hotpluggable")


def _kib(element: Element | None) -> int:
    if element is None:
        return 0
    return int(element.text or 0) * _KIB[element.get("unit", "KiB")]


def _resize_memory(virsh: Virsh, domain: str, memory_mib: int) -> None:
    found = virsh.xml(domain)
    difference_kib = memory_mib * 1024 - _kib(found.find("memory"))
    if difference_kib > 0:
        kvm_node.compact_before_start(virsh.settings)
        virsh.device("attach-device", domain, _module(found, difference_kib))
    elif difference_kib < 0:
        for module in _modules_of(found, -difference_kib):
            _detach(virsh, domain, module)
        kvm_node.compact_after_stop(virsh.settings)


def _module(found: Element, size_kib: int) -> str:
    cell = found.find("cpu/numa/cell")
    root = Element("memory", model="dimm")
    target = SubElement(root, "target")
    SubElement(target, "size", unit="KiB").text = str(size_kib)
    SubElement(target, "node").text = "0" if cell is None else cell.get("id", "0")
    return tostring(root, encoding="unicode")


def _modules_of(found: Element, size_kib: int) -> list[Element]:
    """Modules that are as large together, as few as can be. Raises DriverError when none are."""
    modules = [each for each in found.iterfind("devices/memory") if each.get("model") == "dimm"]
    for count in range(1, len(modules) + 1):
        for some in itertools.combinations(modules, count):
            if sum(_kib(each.find("target/size")) for each in some) == size_kib:
                return list(some)
    sizes = ", ".join(str(_kib(each.find("target/size")) // 1024) for each in modules) or "none"
    raise DriverError(
        f"modules of {size_kib // 1024} MiB must be taken out, those that were added are {sizes}"
    )


def _detach(virsh: Virsh, domain: str, module: Element) -> None:
    alias = module.find("alias")
    name = "" if alias is None else alias.get("name", "")
    xml = tostring(module, encoding="unicode")

    def is_there() -> bool:
        return any(each.get("name") == name for each in virsh.xml(domain).iterfind("devices/memory/alias"))

    kvm_disks.release(virsh.settings, is_there, lambda: virsh.device("detach-device", domain, xml))
