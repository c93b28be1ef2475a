"""Quota templates: what an editor starts with, and what is sent.

Source: quotas page of OpenNebula's manual.
"""

from __future__ import annotations

import sys
from xml.etree.ElementTree import Element

from services.cli import template_text
from services.cli.documents import walk
from services.cli.template_text import vector

SECTIONS = ("DATASTORE_QUOTA", "VM_QUOTA", "NETWORK_QUOTA", "IMAGE_QUOTA")
_LIMITS = """\
# Limits that can be set:
#
#   DATASTORE = [ ID = datastore, IMAGES = number of images, SIZE = MB in it ]
#   VM        = [ VMS = machines, MEMORY = MB, CPU = CPUs, RUNNING_VMS, RUNNING_MEMORY, RUNNING_CPU = the same
#                 of running machines, SYSTEM_DISK_SIZE = MB of their disks ]
#   NETWORK   = [ ID = network, LEASES = addresses of it ]
#   IMAGE     = [ ID = image, RVMS = machines that use it ]
#
"""
_OF_ONE = """\
# -1 takes the default limit (subcommand defaultquota), -2 is no limit. Counters *_USED only inform.

"""
_OF_ALL = """\
# -2 is no limit.

"""


def present(element: Element) -> str:
    """The limits and counters of a document, as a template."""
    lines = []
    for section in SECTIONS:
        found = element.find(section)
        if found is not None:
            lines += [vector(name, parts) for name, parts in walk(found) if isinstance(parts, list)]
    return "\n".join(lines)


def obtain(path: str | None, element: Element | None, is_default: bool = False) -> str | None:
    """New limits: from a file, standard input, or an editor that starts with those of the document (if any).

    None when the editor changed nothing.
    """
    if path is not None or not sys.stdin.isatty():
        return template_text.read(path)
    before = _LIMITS + (_OF_ALL if is_default else _OF_ONE)
    if element is not None:
        before += present(element) + "\n"
    after = template_text.edit(before)
    return None if after == before else after
