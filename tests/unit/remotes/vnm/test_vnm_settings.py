"""Documents and settings of network drivers: what is taken over, what is refused."""

from __future__ import annotations

import base64
from pathlib import Path

import driver
import pytest
import vnm_cards
import vnm_document
import vnm_node
import vnm_settings
import vnm_uplinks
from vnm_document import Nic, Vm
from vnm_settings import Settings

SHIPPED = Path(vnm_settings.PATH)


def nic(**more: str) -> Nic:
    given = {"VLAN_ID": "5", **more}
    return Nic("7", "0", given, "802.1Q", "onebr.1", "eth1", "02:00:00:00:00:07")


def read(inner: str, vm_id: str = "7") -> Vm:
    text = f"<VM><ID>{vm_id}</ID><DEPLOY_ID>one-7</DEPLOY_ID><TEMPLATE>{inner}</TEMPLATE></VM>"
    return vnm_document.read(base64.b64encode(text.encode()) + b"\n")


def card(tag: str = "NIC", **more: str) -> str:
    given = {"NIC_ID": "0", "VN_MAD": "fw", "BRIDGE": "br0", "MAC": "02:00:00:00:00:07", **more}
    return f"<{tag}>{''.join(f'<{name}>{text}</{name}>' for name, text in given.items())}</{tag}>"


# -- documents ---------------------------------------------------------------------------------------------
def test_document() -> None:
    vm = read(
        card(TARGET="one-7-0", IP="10.0.0.7", IP6_GLOBAL="2001:DB8::7", VROUTER_IP="10.0.0.1")
        + card("NIC_ALIAS", NIC_ID="1", PARENT_ID="0", ATTACH="YES")
        + "<SECURITY_GROUP_RULE><PROTOCOL>TCP</PROTOCOL></SECURITY_GROUP_RULE>"
    )
    assert (vm.vm_id, vm.deploy_id, len(vm.rules)) == ("7", "one-7", 1)
    first = vm.nics[0]
    assert first.addresses == ["10.0.0.7", "10.0.0.1", "2001:db8::7"]
    assert (first.tap, first.group_ids) == ("one-7-0", None)
    assert vm.aliases_of(first) == list(vm.aliases)
    assert vm.marked is vm.aliases[0]


@pytest.mark.parametrize("target", ["eth0", "one-8-0", "one-7-1", ""])
def test_names_of_others_are_not_taken_for_our_interface(target: str) -> None:
    assert read(card(TARGET=target)).nics[0].tap == ""


@pytest.mark.parametrize("name", ["BRIDGE", "PHYDEV"])
@pytest.mark.parametrize("hostile", ["-x", "a b", "x;y", "../x", "sixteen.letters.", "eth+", "$(id)", "a\nb"])
def test_hostile_names(name: str, hostile: str) -> None:
    with pytest.raises(driver.DriverError) as caught:
        read(card(**{name: hostile}))
    assert f"nic 0 of vm 7: {name} is {hostile!r}, expected an interface's name" in str(caught.value)


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        (card(MAC="02:00"), "MAC is '02:00'"),
        (card(NIC_ID="0; rm"), "NIC_ID is '0; rm'"),
        (card("NIC_ALIAS", PARENT_ID="x"), "PARENT_ID is 'x'"),
    ],
)
def test_hostile_values(inner: str, says: str) -> None:
    with pytest.raises(driver.DriverError) as caught:
        read(inner)
    assert says in str(caught.value)


def test_documents_that_are_none() -> None:
    for data in (b"", b"%%%", base64.b64encode(b"<VM>"), base64.b64encode(b"<VM><ID>x</ID></VM>")):
        with pytest.raises(driver.DriverError):
            vnm_document.read(data)
    with pytest.raises(driver.DriverError, match="IP is 'nowhere'"):
        _ = read(card(IP="nowhere")).nics[0].addresses


# -- which interfaces --------------------------------------------------------------------------------------
def test_interfaces_that_an_action_is_about() -> None:
    inner = (
        card() + card(NIC_ID="1", VN_MAD="bridge") + card(NIC_ID="2", VN_MAD="vxlan")
        + card("NIC_ALIAS", NIC_ID="3", PARENT_ID="1")
        + card("NIC_ALIAS", NIC_ID="4", PARENT_ID="0", VN_MAD="bridge")
    )  # fmt: skip
    found = vnm_cards.cards("fw", read(inner))
    assert [(each.nic.nic_id, each.is_filtered, len(each.filtered_aliases)) for each in found] == [
        ("0", True, 0),
        ("1", False, 1),
    ]
    marked = read(inner.replace("<NIC_ID>3</NIC_ID>", "<NIC_ID>3</NIC_ID><ATTACH>YES</ATTACH>"))
    assert [each.nic.nic_id for each in vnm_cards.cards("fw", marked)] == ["1"]
    assert len(vnm_cards.cards("fw", marked, is_of_all=True)) == 2
    [left] = vnm_cards.cards("fw", marked, is_leaving=True)
    assert not left.needs_filter
    assert left.prefixes == ("one-7-1-", "one-7-3-")


# -- settings ----------------------------------------------------------------------------------------------
def test_the_shipped_file_says_what_holds_without_it() -> None:
    shipped, without = vnm_settings.load(str(SHIPPED)), Settings()
    assert {name: shipped.values[name] for name in without.values} == without.values
    assert shipped.maps == {}


def test_settings_of_a_network_come_first(tmp_path: Path) -> None:
    file = tmp_path / "conf"
    file.write_text(
        "---\n# a comment\n:vlan_mtu: 1450 # another\n:keep_empty_bridge: true\n"
        ":ip_link_conf:\n  :udp6zerocsumrx:\n  :tos: 3\n:bridge_conf:\n  :sethello: 6\n:vxlan_ttl: '9'\n"
    )
    settings = vnm_settings.load(str(file))
    plain = nic()
    assert settings.number(plain, "vlan_mtu") == 1450
    assert settings.number(plain, "vxlan_ttl") == 9
    assert settings.link_options(plain) == ["udp6zerocsumrx", "tos", "3"]
    assert settings.bridge_options(plain) == ["hello_time", "6"]
    own = nic(CONF="keep_empty_bridge=no, vlan_mtu=9000", IP_LINK_CONF="tos=__delete__,x=,y=true,z=off")
    assert settings.number(own, "vlan_mtu") == 9000
    assert not settings.is_set(own, "keep_empty_bridge")
    assert settings.link_options(own) == ["udp6zerocsumrx", "x", "y", "on", "z", "off"]


def test_settings_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "conf"
    for text in (":a: 1\nnonsense\n", "  :indented: 1\n"):
        file.write_text(text)
        with pytest.raises(driver.DriverError, match=f"{file}, line {text.count(chr(10))}: found"):
            vnm_settings.load(str(file))
    assert vnm_settings.load(str(tmp_path / "none")) == Settings()
    with pytest.raises(driver.DriverError, match="vlan_mtu is 'x', expected a positive number"):
        Settings().number(nic(CONF="vlan_mtu=x"), "vlan_mtu")
    for hostile in ("a=b c", "a=-x", "-a=1", "a=$(id)", "a b=1"):
        with pytest.raises(driver.DriverError, match="IP_LINK_CONF has"):
            Settings().link_options(nic(IP_LINK_CONF=hostile))


# -- VLAN interfaces ---------------------------------------------------------------------------------------
def test_802_1q_commands() -> None:
    """Kernels of tests have no such interfaces: this is the command that makes one."""
    made = vnm_uplinks.words(nic(MTU="1400", IP_LINK_CONF="gvrp=on"), Settings())
    assert vnm_uplinks.name(nic()) == "eth1.5"
    assert made == ["link", "eth1", "mtu", "1400", "type", "vlan", "id", "5", "gvrp", "on"]
    assert vnm_uplinks.words(nic(CONF="vlan_mtu=9000"), Settings())[2:4] == ["mtu", "9000"]


def test_a_name_that_is_too_long_is_refused() -> None:
    long = Nic("7", "0", {"VLAN_ID": "4094"}, "802.1Q", "br0", "enp0s31f6x9", "")
    with pytest.raises(driver.DriverError, match="its VLAN interface is 'enp0s31f6x9.4094'"):
        vnm_uplinks.name(long)


def test_links() -> None:
    text = (
        '[{"ifname":"eth1.5","master":"onebr.1","group":"9869",'
        '"linkinfo":{"info_kind":"vlan","info_data":{"id":5}}},{},'
        '{"ifname":"onebr.1","group":"default","linkinfo":{"info_kind":"bridge"}}]'
    )
    found = vnm_node.parse_links(text)
    assert found["eth1.5"] == vnm_node.Link("eth1.5", "vlan", "onebr.1", is_ours=True, vlan_id="5")
    assert found["onebr.1"] == vnm_node.Link("onebr.1", "bridge", "", is_ours=False)
    with pytest.raises(driver.DriverError):
        vnm_node.parse_links("1: lo")
