"""Rules of security groups as matches, and the text that the kernel's tools get."""

from __future__ import annotations

import ipaddress

import driver
import pytest
import vnm_chains
import vnm_rules
import vnm_tables
from vnm_chains import Card
from vnm_document import Nic


def rule(**more: str) -> dict[str, str]:
    return {"RULE_TYPE": "INBOUND", "PROTOCOL": "TCP", "SECURITY_GROUP_ID": "5", **more}


def nic(**more: str) -> Nic:
    given = {"SECURITY_GROUPS": "5", "IP": "10.0.0.7", "TARGET": "one-7-0", **more}
    return Nic("7", "0", given, "fw", "br0", "", "02:00:00:00:00:07")


@pytest.mark.parametrize(
    ("first", "size", "blocks"),
    [
        ("10.0.0.0", 256, ["10.0.0.0/24"]),
        ("10.0.0.5", 1, ["10.0.0.5/32"]),
        ("10.0.0.5", 4, ["10.0.0.5/32", "10.0.0.6/31", "10.0.0.8/32"]),
        ("0.0.0.0", 2**32, ["0.0.0.0/1", "128.0.0.0/1"]),
        ("255.255.255.254", 10**30, ["255.255.255.254/31"]),
        ("10.0.0.5", 0, []),
        ("2001:db8::", 2**64, ["2001:db8::/64"]),
        ("::", 2**128, ["::/1", "8000::/1"]),
    ],
)
def test_address_blocks(first: str, size: int, blocks: list[str]) -> None:
    assert [block for block, _ in vnm_rules.address_blocks(first, size)] == blocks


def test_address_blocks_are_the_addresses_and_no_others() -> None:
    for start in range(0, 70, 7):
        for size in range(1, 70, 5):
            first = ipaddress.ip_address("192.0.2.0") + start
            found = [
                int(address)
                for block, _ in vnm_rules.address_blocks(str(first), size)
                for address in ipaddress.ip_network(block)
            ]
            assert found == list(range(int(first), int(first) + size))


def test_equal_matches_are_one() -> None:
    """Rules of the ranges of one network share a set; one for everybody needs none."""
    ranges = [
        rule(IP="10.0.0.0", SIZE="2"),
        rule(IP="10.0.1.0", SIZE="2", IP6_ULA="fd00::"),
        rule(RANGE="80"),
    ]
    found = {(grant.family, grant.words): grant.networks for grant in vnm_rules.grants(ranges)}
    ports = ("-p", "tcp", "-m", "multiport", "--dports", "80")
    assert found == {
        (4, ("-p", "tcp")): ("10.0.0.0/31", "10.0.1.0/31"),
        (6, ("-p", "tcp")): ("fd00::/127",),
        (4, ports): None,
        (6, ports): None,
    }
    found = {(grant.family, grant.words): grant.networks for grant in vnm_rules.grants([*ranges, rule()])}
    assert found[4, ("-p", "tcp")] is None
    assert vnm_rules.grants([rule(), *ranges]) == vnm_rules.grants([rule(), ranges[2]])


def test_a_target_without_addresses_grants_nothing() -> None:
    assert vnm_rules.grants([rule(SIZE="10"), rule(NETWORK_ID="3"), rule(IP="10.0.0.1")]) == []


def test_many_ports_are_several_matches() -> None:
    ports = [*(str(port) for port in range(1, 15)), "20:30", "40"]
    words = [
        grant.words[-1] for grant in vnm_rules.grants([rule(RANGE=",".join(ports))]) if grant.family == 4
    ]
    assert words == [",".join(ports[:14]), "20:30,40"]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (rule(RULE_TYPE="both"), "RULE_TYPE 'both', expected INBOUND or OUTBOUND"),
        (rule(PROTOCOL="GRE"), "PROTOCOL 'GRE'"),
        (rule(RANGE="80; reboot"), "RANGE '80; reboot'"),
        (rule(RANGE="70000"), "RANGE '70000'"),
        (rule(RANGE="80", PROTOCOL="ALL"), "RANGE '80', expected none with PROTOCOL ALL"),
        (rule(ICMP_TYPE="8"), "ICMP_TYPE '8', expected a type up to 255 with PROTOCOL ICMP"),
        (rule(PROTOCOL="ICMP", ICMP_TYPE="300"), "ICMP_TYPE '300'"),
        (rule(PROTOCOL="ICMP", ICMP_TYPE="8 -j ACCEPT"), "ICMP_TYPE '8 -j ACCEPT'"),
        (rule(IP="10.0.0.1/8", SIZE="1"), "IP '10.0.0.1/8'"),
        (rule(IP="10.0.0.1", SIZE="-1"), "SIZE '-1'"),
    ],
)
def test_rules_that_are_none(bad: dict[str, str], says: str) -> None:
    with pytest.raises(driver.DriverError) as caught:
        vnm_rules.grants([bad])
    assert f"security group 5: a rule has {says}" in str(caught.value)


def test_chains_of_an_interface() -> None:
    card = Card(nic(FILTER_IP_SPOOFING="YES"), "one-7-0")
    made = vnm_chains.opened(card, [rule(RANGE="22"), rule(SECURITY_GROUP_ID="6")], 100, "a")
    assert [" ".join(line) for line in made.chains[4]["one-7-0-i"]] == [
        "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        "-p tcp -m multiport --dports 22 -j RETURN",
        "-j DROP",
    ]
    assert [" ".join(line) for line in made.chains[4]["one-7-0-o"]] == [
        "-s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67 -j RETURN",
        "-m set ! --match-set one-7-0-4i0a src -j DROP",
        "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        "-j DROP",
    ]
    assert made.sets == {"one-7-0-4i0a": (("hash:ip", "family", "inet", "maxelem", "100"), ["10.0.0.7"])}


def test_every_chain_ends_with_a_verdict_on_everything() -> None:
    card = Card(nic(FILTER_IP_SPOOFING="YES", FILTER_MAC_SPOOFING="YES"), "one-7-0")
    for groups in ("5", "", "9"):
        card = Card(nic(SECURITY_GROUPS=groups), "one-7-0")
        made = vnm_chains.opened(card, [rule()], 100, "a")
        for family in (4, 6):
            assert all(lines[-1] == ("-j", "DROP") for lines in made.chains[family].values())


def test_a_change_names_only_what_is_there() -> None:
    """What another VM has, and what an administrator added, is left as it is."""
    saved = "\n".join(
        [
            "*filter", ":FORWARD ACCEPT [0:0]", ":opennebula - [0:0]", ":one-7-0-i - [0:0]",
            ":one-7-0-o - [0:0]", ":one-7-0-5-old - [0:0]", ":one-70-0-i - [0:0]", "-A FORWARD -j opennebula",
            '-A FORWARD -m comment --comment "one-7-0-i is mine" -j ACCEPT',
            "-A one-7-0-o -g one-7-0-5-old",
            "-A opennebula -m physdev --physdev-out vnet9 --physdev-is-bridged -j one-7-0-i",
            "-A opennebula -m physdev --physdev-out one-70-0 --physdev-is-bridged -j one-70-0-i",
            "-A opennebula -j ACCEPT", "COMMIT",
        ]
    )  # fmt: skip
    card = Card(nic(), "one-7-0")
    table = vnm_tables.parse(4, saved)
    entries = vnm_chains.entries(card)[4]
    assert not vnm_tables.is_entered(table, entries)
    lines = vnm_tables.put(table, card, vnm_chains.opened(card, [], 100, "a")).splitlines()
    assert lines[:3] == ["*filter", ":one-7-0-o - [0:0]", ":one-7-0-i - [0:0]"]
    assert [line for line in lines if line.startswith(("-D", "-F", "-X"))] == [
        "-D opennebula -m physdev --physdev-out vnet9 --physdev-is-bridged -j one-7-0-i",
        "-F one-7-0-5-old", "-X one-7-0-5-old",
    ]  # fmt: skip
    assert not any("one-70" in line or "FORWARD" in line for line in lines)
    removal = vnm_tables.remove(table, card.prefixes).splitlines()
    entry = "-D opennebula -m physdev --physdev-out vnet9 --physdev-is-bridged -j one-7-0-i"
    assert [line for line in removal if line.startswith("-D")] == [entry]
    assert not any("one-70" in line or "FORWARD" in line for line in removal)
    assert vnm_tables.remove(vnm_tables.parse(4, "*filter\nCOMMIT\n"), card.prefixes) == ""


def test_the_same_entry_in_other_words_is_known() -> None:
    card = Card(nic(), "one-7-0")
    saved = "*filter\n" + "".join(
        f"-A opennebula -m physdev --physdev-{way} one-7-0 --physdev-is-bridged -j one-7-0-{end}\n"
        for way, end in (("out", "i"), ("in", "o"))
    )
    assert vnm_tables.is_entered(vnm_tables.parse(4, saved), vnm_chains.entries(card)[4])
    assert not vnm_tables.is_entered(
        vnm_tables.parse(4, saved.replace("one-7-0 ", "vnet1 ")), vnm_chains.entries(card)[4]
    )


def test_nothing_but_words_gets_into_rules() -> None:
    for hostile in ("a b", "x\n-A FORWARD", "", '"', "$(id)", "a;b"):
        with pytest.raises(driver.DriverError):
            vnm_chains.checked(["-s", hostile])
