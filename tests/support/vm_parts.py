"""What VMs are made of, for tests of their creation: datastores, images that are ready, networks."""

from __future__ import annotations

import pytest

from services.common import xmldoc
from tests.support.core import Core, Refused

CAPACITY = "CPU=0.1\nMEMORY=64\n"
AUTHORIZATION, NO_EXISTS, ACTION, API, INTERNAL, ALLOCATE = 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000
_OPEN = (-1, -1, -1, 1, -1, -1, 1, -1, -1)


def datastore(core: Core, name: str, more: str = "", cluster: int = 0) -> int:
    """An image datastore with dummy drivers that every user may use."""
    text = f"NAME={name}\nDS_MAD=dummy\nTM_MAD=dummy\nDATASTORE_CAPACITY_CHECK=NO\n{more}"
    oid: int = core.call("datastore.allocate", text, cluster)
    core.call("datastore.chmod", oid, *_OPEN)
    return oid


def image(
    core: Core, name: str, store: int, kind: str = "OS", more: str = "", *, is_open: bool = False
) -> int:
    """A READY image of 1024 MB of oneadmin's; is_open: every user may use it."""
    text = f"NAME={name}\nTYPE={kind}\nSOURCE=/images/{name}\nSIZE=1024\nFORMAT=raw\n{more}"
    oid: int = core.call("image.allocate", text, store, False)
    if is_open:
        core.call("image.chmod", oid, *_OPEN)
    return oid


def network(core: Core, name: str, first_ip: str, more: str = "", cluster: int = 0, *, size: int = 10) -> int:
    """A network of oneadmin's that every user may use, with one range of addresses."""
    text = f'NAME={name}\nVN_MAD=dummy\nBRIDGE=br-{name}\nAR=[TYPE=IP4,IP="{first_ip}",SIZE={size}]\n{more}'
    oid: int = core.call("vn.allocate", text, cluster)
    core.call("vn.chmod", oid, *_OPEN)
    return oid


def create(core: Core, text: str, *, hold: bool = True, user: str = "oneadmin") -> xmldoc.etree._Element:
    """The document of a new VM of small capacity."""
    return core.info("vm.info", core.call("vm.allocate", CAPACITY + text, hold, user=user))


def refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> str:
    """The text of a call that must be refused with that code."""
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value.text


def refused_vm(core: Core, text: str, *, code: int = INTERNAL, user: str = "oneadmin") -> str:
    """The text of a refused creation of a VM of small capacity."""
    return refused(core, code, "vm.allocate", CAPACITY + text, True, user=user)


def parts(vector: xmldoc.etree._Element) -> dict[str, str]:
    """A vector of a document."""
    return {str(part.tag): part.text or "" for part in vector}
