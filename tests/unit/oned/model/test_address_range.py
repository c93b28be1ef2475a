"""Address ranges: which addresses a lease has, what a range needs, what an update may change."""

from __future__ import annotations

import pytest

from services.common.template import Template
from services.oned.errors import ActionError, RequestError
from services.oned.model import addresses
from services.oned.model.address_range import AddressRange, id_set, unsigned
from services.oned.model.address_range_edit import mac_prefix, new_range, update_range
from services.oned.model.lease_map import Holder
from services.oned.model.vnet import VirtualNetwork

SETTINGS = Template([("MAC_PREFIX", "02:00")])
ALL = dict.fromkeys(Holder)


def _range(text: str) -> AddressRange:
    vector = Template.parse(f"AR=[{text}]").get_vector("AR")
    assert vector is not None
    return new_range(vector, 0, SETTINGS)


# -- addresses as numbers ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10.0.0.1", 0x0A000001),
        ("010.0.0.255", 0x0A0000FF),
        ("10.0.0.256", None),
        ("10.0.0", None),
        ("10.0..1", None),
        ("10.0.0.1 ", None),
        ("a.b.c.d", None),
        ("", None),
    ],
)
def test_ip4(text: str, number: int | None) -> None:
    assert addresses.parse_ip4(text) == number


@pytest.mark.parametrize(
    "text", ["02:00:0a:00:00", "02:00:0a:00:00:zz", "0200.0a00.0001", "", "02:00:0a:00:00:100"]
)
def test_what_is_no_mac(text: str) -> None:
    assert addresses.parse_mac(text) is None


def test_numbers_and_texts_of_addresses() -> None:
    assert addresses.format_mac(addresses.parse_mac("2:0:A:0:0:1") or 0) == "02:00:0a:00:00:01"
    assert addresses.format_ip6(addresses.parse_ip6("2001:DB8:0:0:0:0:0:10") or 0) == "2001:db8::10"
    assert addresses.parse_prefix("") == 0 and addresses.parse_prefix("fd00::") == 0xFD00 << 48
    assert addresses.parse_prefix("fd00") is None and addresses.parse_ip6("::1%lo") is None
    assert addresses.link_local(0x02000A000001) == "fe80::aff:fe00:1"
    assert addresses.is_address("10.0.0.1") and addresses.is_address("::1") and not addresses.is_address("x")


def test_numbers_in_texts() -> None:
    assert [unsigned(text) for text in ("7", "+7", "-1", "", "7x", str(2**32))] == [
        7,
        7,
        2**32 - 1,
        None,
        None,
        None,
    ]
    assert id_set("0, 100,x,,5y,-1") == {0, 100, 5, -1}


# -- leases ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("TYPE=ETHER,SIZE=3,MAC=02:00:AA:BB:CC:FE", 2, {"MAC": "02:00:aa:bb:cd:00"}),
        ("TYPE=IP4,SIZE=300,IP=10.0.0.250", 9, {"MAC": "02:00:0a:00:01:03", "IP": "10.0.1.3"}),
        (
            'TYPE=IP6,SIZE=2,MAC=02:00:0a:00:00:01,GLOBAL_PREFIX="2001:a::",ULA_PREFIX="fd00:1::"',
            1,
            {
                "MAC": "02:00:0a:00:00:02",
                "IP6_LINK": "fe80::aff:fe00:2",
                "IP6_ULA": "fd00:1::aff:fe00:2",
                "IP6_GLOBAL": "2001:a::aff:fe00:2",
            },
        ),
        (
            'TYPE=IP4_6,SIZE=2,IP=10.0.0.1,GLOBAL_PREFIX="2001:a::"',
            0,
            {
                "MAC": "02:00:0a:00:00:01",
                "IP": "10.0.0.1",
                "IP6_LINK": "fe80::aff:fe00:1",
                "IP6_GLOBAL": "2001:a::aff:fe00:1",
            },
        ),
        (
            'TYPE=IP4_6_STATIC,SIZE=9,IP=10.0.0.1,IP6="2001:db8::ff",PREFIX_LENGTH=64',
            1,
            {"MAC": "02:00:0a:00:00:02", "IP": "10.0.0.2", "IP6": "2001:db8::100"},
        ),
        (
            "TYPE=IP4,SIZE=9,IP=10.0.0.1,PORT_START=1000,PORT_SIZE=10",
            2,
            {
                "MAC": "02:00:0a:00:00:03",
                "IP": "10.0.0.3",
                "EXTERNAL_PORT_RANGE": "1021:1030",
                "INTERNAL_PORT_RANGE": "1-10/1021",
            },
        ),
    ],
)
def test_the_addresses_of_a_lease(text: str, offset: int, expected: dict[str, str]) -> None:
    assert _range(text).series.at(offset) == expected


@pytest.mark.parametrize(
    ("kind", "text", "offset"),
    [
        ("IP", "10.0.0.3", 2),
        ("IP", "10.0.0.6", None),
        ("IP", "10.0.0.0", None),
        ("MAC", "02:00:0A:00:00:05", 4),
        ("MAC", "03:00:0a:00:00:02", None),
        ("IP6", "2001:db8::2", 1),
        ("IP6", "2001:db9::2", None),
        ("IP6", "no", None),
    ],
)
def test_which_lease_an_address_is(kind: str, text: str, offset: int | None) -> None:
    each = _range('TYPE=IP4_6_STATIC,SIZE=5,IP=10.0.0.1,IP6="2001:db8::1",PREFIX_LENGTH=64')
    assert each.offset_of(kind, text) == offset
    assert _range("TYPE=ETHER,SIZE=5").offset_of("IP", "10.0.0.1") is None


def test_the_document_of_clients() -> None:
    each = _range('TYPE=IP4_6,SIZE=3,IP=10.0.0.1,GLOBAL_PREFIX="2001:a::",SECURITY_GROUPS="0,100"')
    for offset, holder, oid in ((0, Holder.VM, 4), (1, Holder.NET, 5), (2, Holder.VR, 6)):
        each.take(offset, holder, oid)
    text = each.to_xml_extended(ALL).replace("<![CDATA[", "").replace("]]>", "")
    assert text.startswith(
        "<AR><AR_ID>0</AR_ID><GLOBAL_PREFIX>2001:a::</GLOBAL_PREFIX><IP>10.0.0.1</IP><MAC>02:00:0a:00:00:01</MAC>"
        "<SECURITY_GROUPS>0,100</SECURITY_GROUPS><SIZE>3</SIZE><TYPE>IP4_6</TYPE>"
        "<MAC_END>02:00:0a:00:00:03</MAC_END><IP_END>10.0.0.3</IP_END>"
        "<IP6_GLOBAL>2001:a::aff:fe00:1</IP6_GLOBAL><IP6_GLOBAL_END>2001:a::aff:fe00:3</IP6_GLOBAL_END>"
        "<USED_LEASES>3</USED_LEASES><LEASES><LEASE><IP>10.0.0.1</IP>"
    )
    owners = [text.count(f"<{name}>{oid}</{name}>") for name, oid in (("VM", 4), ("VNET", 5), ("VROUTER", 6))]
    assert owners == [1, 1, 1]
    seen = each.to_xml_extended({Holder.VM: None, Holder.NET: {7}, Holder.VR: set()})
    assert seen.count("<LEASE>") == 1 and "<VM>" in seen
    assert (
        _range("TYPE=ETHER,SIZE=1")
        .to_xml_extended(ALL)
        .endswith("<USED_LEASES>0</USED_LEASES><LEASES/></AR>")
    )


# -- what users write --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SIZE=3", "TYPE"),
        ("TYPE=IP5,SIZE=3", "TYPE: found 'IP5'"),
        ("TYPE=ETHER", "SIZE"),
        ("TYPE=ETHER,SIZE=0", "SIZE"),
        ("TYPE=ETHER,SIZE=many", "found 'many'"),
        ("TYPE=IP4,SIZE=3", "IP attribute"),
        ("TYPE=IP4,SIZE=3,IP=10.0.0.300", "10.0.0.300"),
        ("TYPE=IP6,SIZE=3,GLOBAL_PREFIX=x", "global"),
        ("TYPE=IP6,SIZE=3,ULA_PREFIX=x", "unique local"),
        ("TYPE=IP6_STATIC,SIZE=3,PREFIX_LENGTH=64", "IP6 attribute"),
        ('TYPE=IP6_STATIC,SIZE=3,IP6="2001::1"', "PREFIX_LENGTH"),
        ("TYPE=ETHER,SIZE=3,MAC=02:00", "MAC"),
    ],
)
def test_ranges_that_are_refused(text: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        _range(text)


def test_a_range_of_an_ipam_driver() -> None:
    with pytest.raises(ActionError, match="'aws' is not available in this version"):
        _range("TYPE=IP4,SIZE=3,IP=10.0.0.1,IPAM_MAD=aws")
    assert _range("TYPE=IP4,SIZE=3,IP=10.0.0.1,IPAM_MAD=internal").size == 3


def test_what_a_new_range_keeps() -> None:
    each = _range(
        "TYPE=ip4,SIZE=3,IP=10.0.0.1,IP6=x,ULA_PREFIX=y,ALLOCATED=z,USED_LEASES=1,PARENT_NETWORK_AR_ID=4,A=b"
    )
    assert each.values == {
        "AR_ID": "0", "TYPE": "ip4", "SIZE": "3", "IP": "10.0.0.1", "MAC": "02:00:0a:00:00:01", "A": "b",
    }  # fmt: skip
    assert "ALLOCATED" not in each.to_xml()
    assert _range("TYPE=IP6,SIZE=1").values["MAC"].startswith("02:00:")
    assert mac_prefix(Template()) == 1


def test_update() -> None:
    each = _range("TYPE=IP4_6,SIZE=5,IP=10.0.0.1,MAC=02:00:0a:00:00:01,PORT_START=5,OLD=x")
    each.take(2, Holder.VM, 1)
    wish = {
        "AR_ID": "9",
        "TYPE": "ETHER",
        "IP": "1.1.1.1",
        "MAC": "x",
        "SIZE": "3",
        "NEW": "y",
        "PORT_START": "no",
    }
    update_range(each, {**wish, "IP_END": "1.1.1.2", "ALLOCATED": "1", "PARENT_NETWORK_AR_ID": "3"}, ())
    assert each.values == {
        "AR_ID": "0", "TYPE": "IP4_6", "SIZE": "3", "IP": "10.0.0.1", "MAC": "02:00:0a:00:00:01", "NEW": "y",
        "GLOBAL_PREFIX": "", "ULA_PREFIX": "",
    }  # fmt: skip
    assert each.leases.text == " 2 68719476737"
    update_range(each, {"SIZE": "what"}, ())
    assert each.size == 3
    for wrong, words in (({"SIZE": "2"}, "outside"), ({"ULA_PREFIX": "x"}, "unique local")):
        with pytest.raises(RequestError, match=words):
            update_range(each, wrong, ())
    with pytest.raises(ActionError, match="IPAM"):
        update_range(each, {"IPAM_MAD": "aws"}, ())


def test_update_of_a_reservation() -> None:
    parent = _range("TYPE=IP4,SIZE=9,IP=10.0.0.1,BRIDGE=b0")
    each = parent.cut(3, 2, 7)
    assert each.values == {
        "AR_ID": "7", "TYPE": "IP4", "SIZE": "2", "IP": "10.0.0.4", "MAC": "02:00:0a:00:00:04",
        "BRIDGE": "b0", "PARENT_NETWORK_AR_ID": "0",
    }  # fmt: skip
    with pytest.raises(RequestError, match="SIZE of a reservation"):
        update_range(each, {"SIZE": "3"}, ())
    update_range(each, {"BRIDGE": "mine", "A": "b"}, {"BRIDGE", "VLAN_ID"})
    assert (each.values["BRIDGE"], each.values["A"], each.parent_ar_id) == ("b0", "b", 0)


def test_a_rule_about_a_range() -> None:
    each = _range('TYPE=IP4_6,SIZE=9,IP=10.0.0.1,ULA_PREFIX="fd00::"')
    assert each.as_rule({"PROTOCOL": "TCP", "NETWORK_ID": "3"}) == {
        "PROTOCOL": "TCP", "NETWORK_ID": "3", "AR_ID": "0", "TYPE": "IP4_6", "SIZE": "9",
        "MAC": "02:00:0a:00:00:01", "IP": "10.0.0.1", "IP6_ULA": "fd00::aff:fe00:1",
    }  # fmt: skip


def test_leases_in_other_forms() -> None:
    net = VirtualNetwork(7, "lan")
    net.ranges = [_range("TYPE=ETHER,SIZE=3,MAC=02:00:00:00:00:01") for _ in range(4)]
    for number, each in enumerate(net.ranges):
        each.values["AR_ID"] = str(number)
        if number:
            each.take(number - 1, Holder.VM, 5)
    net.ranges[3].values["NOTE"] = "<ALLOCATED><![CDATA[ 0 68719476737"
    text = net.to_xml()
    assert VirtualNetwork.from_xml(text).to_xml() == text
    for old, new in (("<![CDATA[ 0 68719476741]]>", " 0 68719476741"), ("<![CDATA[ 1 68719476741]]>", "")):
        assert old in text
        text = text.replace(old, new)
    assert [each.leases.text for each in VirtualNetwork.from_xml(text).ranges] == [
        "", " 0 68719476741", "", " 2 68719476741",
    ]  # fmt: skip
