"""Virtual network templates, and the networks that are made from them."""

from __future__ import annotations

import pytest

from services.common.template import Template
from tests.support.core import Core, Refused

AUTHORIZATION, NO_EXISTS, INTERNAL, ALLOCATE = 0x200, 0x400, 0x2000, 0x4000
OFFICE = "NAME=office\nVN_MAD=dummy\nBRIDGE=b\nAR=[TYPE=IP4,IP=10.5.0.1,SIZE=4]\nDNS=1.1.1.1"


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


@pytest.fixture
def office(core: Core) -> int:
    """A template of oneadmin's that everybody may use, and the user ann."""
    oid: int = core.call("vntemplate.allocate", OFFICE)
    core.call("vntemplate.chmod", oid, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    core.add_user("ann")
    return oid


def test_methods(core: Core, office: int) -> None:
    document = core.info("vntemplate.info", office, user="ann")
    assert (document.findtext("NAME"), document.findtext("UNAME")) == ("office", "oneadmin")
    assert Template.from_element(document.find("TEMPLATE")) == Template.parse(OFFICE.partition("\n")[2])
    assert "taken" in _refused(core, INTERNAL, "vntemplate.allocate", OFFICE).text
    _refused(core, INTERNAL, "vntemplate.allocate", "VN_MAD=bridge")
    _refused(core, INTERNAL, "vntemplate.allocate", "NAME=[")
    copy = core.call("vntemplate.clone", office, "copy")
    _refused(core, ALLOCATE, "vntemplate.clone", office, "copy")
    _refused(core, AUTHORIZATION, "vntemplate.clone", office, "mine", user="ann")
    _refused(core, AUTHORIZATION, "vntemplate.allocate", OFFICE, user="ann")
    _refused(core, AUTHORIZATION, "vntemplate.update", office, "A=b", 1, user="ann")
    core.call("vntemplate.rename", copy, "shop")
    core.call("vntemplate.chown", copy, 2, 1)
    core.call("vntemplate.lock", copy, 1, user="ann")
    _refused(core, AUTHORIZATION, "vntemplate.delete", copy)
    core.call("vntemplate.unlock", copy, user="ann")
    core.call("vntemplate.update", copy, "SEARCH=x", 1, user="ann")
    pool = core.info("vntemplatepool.info", -2, -1, -1)
    assert [found.findtext("NAME") for found in pool] == ["shop", "office"]
    assert pool.findtext("VNTEMPLATE/TEMPLATE/SEARCH") == "x"
    core.call("vntemplate.delete", copy, user="ann")
    _refused(core, NO_EXISTS, "vntemplate.info", copy)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("DNS=1.1.1.1", "VN_MAD"),
        ("VN_MAD=dummy", "BRIDGE"),
        ("VN_MAD=vxlan\nPHYDEV=eth0", "VLAN_ID"),
        ("VN_MAD=802.1Q\nAUTOMATIC_VLAN_ID=YES", "PHYDEV"),
    ],
)
def test_templates_that_are_refused(core: Core, template: str, words: str) -> None:
    assert words in _refused(core, INTERNAL, "vntemplate.allocate", f"NAME=x\n{template}").text


def test_restricted_attributes(core: Core, office: int) -> None:
    core.call("acl.addrule", "0x100000002", "0x40000400000000", "0x8", "0x400000000")
    assert core.call("vntemplate.allocate", "NAME=a\nVN_MAD=bridge", user="ann") == office + 1
    # OpenNebula reads the text as a VM template here: these are the attributes of VMs.
    assert (
        "MAC" in _refused(core, AUTHORIZATION, "vntemplate.allocate", "NAME=b\nNIC=[MAC=x]", user="ann").text
    )
    assert (
        "VN_MAD" in _refused(core, INTERNAL, "vntemplate.update", office + 1, "VN_MAD=fw", 1, user="ann").text
    )


# -- networks ----------------------------------------------------------------------------------------------
def test_instantiate(core: Core, office: int) -> None:
    first = core.call("vntemplate.instantiate", office, "", "", user="ann")
    net = core.info("vn.info", first)
    paths = (
        "NAME",
        "UNAME",
        "BRIDGE",
        "CLUSTERS/ID",
        "AR_POOL/AR/IP_END",
        "TEMPLATE/TEMPLATE_ID",
        "TEMPLATE/DNS",
    )
    assert [net.findtext(path) for path in paths] == [
        "office-0", "ann", "b", "0", "10.5.0.4", str(office), "1.1.1.1",
    ]  # fmt: skip
    assert "TEMPLATE_NAME" not in Template.from_element(net.find("TEMPLATE"))
    second = core.call("vntemplate.instantiate", office, "lan", "NAME=ignored\nDNS=8.8.8.8", user="ann")
    assert core.info("vn.info", second).findtext("TEMPLATE/DNS") == "8.8.8.8"
    assert core.info("cluster.info", 0).findtext("VNETS/ID") == str(first)
    assert "taken" in _refused(core, ALLOCATE, "vntemplate.instantiate", office, "lan", "", user="ann").text


def test_clusters(core: Core) -> None:
    core.call("cluster.allocate", "east")
    for number, (clusters, expected) in enumerate((("100,0,77", ["0", "100"]), ("100", ["100"]), ("77", []))):
        oid = core.call("vntemplate.allocate", f'NAME=t{number}\nVN_MAD=bridge\nCLUSTER_IDS="{clusters}"')
        net = core.info("vn.info", core.call("vntemplate.instantiate", oid, "", ""))
        assert [cluster.text for cluster in net.iterfind("CLUSTERS/ID")] == expected
    assert [net.text for net in core.info("cluster.info", 100).iterfind("VNETS/ID")] == ["0", "1"]


def test_instantiation_that_is_refused(core: Core, office: int) -> None:
    core.add_user("bob")
    core.call("vntemplate.chmod", office, -1, -1, -1, -1, -1, -1, 0, -1, -1)
    _refused(core, NO_EXISTS, "vntemplate.instantiate", 99, "", "")
    _refused(core, INTERNAL, "vntemplate.instantiate", office, "", "A=[", user="bob")
    _refused(core, AUTHORIZATION, "vntemplate.instantiate", office, "", "A=b", user="bob")
    core.call("vntemplate.chmod", office, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    text = _refused(core, AUTHORIZATION, "vntemplate.instantiate", office, "", "BRIDGE=x", user="bob").text
    assert "restricted attribute BRIDGE" in text
    core.call("vntemplate.instantiate", office, "same", "BRIDGE=b", user="bob")
    _refused(core, ALLOCATE, "vntemplate.instantiate", office, "x", "AR=[TYPE=IP4,SIZE=0]", user="bob")
    _refused(core, ALLOCATE, "vntemplate.instantiate", office, "a/b", "", user="bob")


def test_instantiate_for_somebody_else(core: Core, office: int) -> None:
    oid = core.call("vntemplate.instantiate", office, "theirs", "AS_UID=2\nAS_GID=1")
    net = core.info("vn.info", oid)
    assert [net.findtext(name) for name in ("UNAME", "GNAME")] == ["ann", "users"]
    assert "AS_UID" not in Template.from_element(net.find("TEMPLATE"))
    core.add_user("bob")
    _refused(core, AUTHORIZATION, "vntemplate.instantiate", office, "x", "AS_UID=2", user="bob")
    _refused(core, NO_EXISTS, "vntemplate.instantiate", office, "x", "AS_UID=77")
