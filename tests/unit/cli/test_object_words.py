"""What users write about rules, dates, records and address ranges, and what the front-end gets for it."""

from __future__ import annotations

import datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from services.cli import acl_rules, auth_keys, dates, record_paths, table, vnet_options
from services.cli.acl_rules import encode
from services.cli.errors import CliError
from services.cli.parse import Options
from services.cli.table import Column
from services.cli.views import vm_states


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        ("#5 VM/#7 USE", ["100000005", "1100000007", "1"]),
        ("@100 VM+NET/* CREATE *", ["200000064", "5400000000", "8", "400000000"]),
        ("* DATASTORE+DOCUMENT/%3 use+admin #0", ["400000000", "500800000003", "5", "100000000"]),
        ("@1 VNTEMPLATE/@2 MANAGE", ["200000001", "40000200000002", "2"]),
        ("400000000 1400000000 1", ["400000000", "1400000000", "1"]),
    ],
)
def test_rules_as_numbers(rule: str, numbers: list[str]) -> None:
    assert encode(rule.split()) == numbers


@pytest.mark.parametrize(
    "rule", ["5 VM/* USE", "#x VM/* USE", "#5 VM USE", "#5 VM/7 USE", "#5 X/* USE", "#5 VM/* X"]
)
def test_rules_that_are_none(rule: str) -> None:
    with pytest.raises(CliError, match="ACL rule, (user|resource|rights): "):
        encode(rule.split())


def test_masks_of_rules() -> None:
    assert acl_rules.mask(acl_rules.RESOURCES, "VM+VMGROUP+ZONE") == "V---------Z-----P-"
    assert acl_rules.mask(acl_rules.RIGHTS, "USE+CREATE") == "u--c"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-05-01", (2021, 5, 1)), ("2021-05-01 10:30", (2021, 5, 1, 10, 30)),
        ("2021-05-01T10:30:15", (2021, 5, 1, 10, 30, 15)), ("2021/05/01", (2021, 5, 1)),
        ("05/2021", (2021, 5, 1)), ("05/01/2021", (2021, 1, 5)), ("12/31/2021", (2021, 12, 31)),
        ("09/19/19", (2019, 9, 19)), ("01/02/2021 07:00", (2021, 2, 1, 7)),
    ],
)  # fmt: skip
def test_dates(text: str, expected: tuple[int, ...]) -> None:
    assert dates.parse(text) == datetime.datetime(*expected)  # type: ignore[arg-type]


def test_dates_of_this_year_and_day() -> None:
    today = datetime.date.today()
    assert dates.parse("05/01") == datetime.datetime(today.year, 5, 1)
    assert dates.parse("10:30").date() in (today, datetime.date.today())
    assert dates.parse("2021-05-01T10:00:00+02:00").utcoffset() == datetime.timedelta(hours=2)
    assert dates.is_midnight(dates.parse("2021-05-01")) and not dates.is_midnight(dates.parse("10:30"))
    assert (dates.epoch_s(None), dates.epoch_s(dates.parse("2199-01-01"))) == (-1, 2**31 - 1)


@pytest.mark.parametrize(
    "text", ["", "soon", "13/2021", "31/31/2021", "2021-02-30", "1/2/3/4", "25:00", "05/01 x"]
)
def test_dates_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="expected a date"):
        dates.parse(text)


RECORD = ElementTree.fromstring(
    "<HISTORY><HID>3</HID><ETIME>0</ETIME><HOSTNAME>node1</HOSTNAME>"
    "<VM><GID>100</GID><NAME>web</NAME></VM></HISTORY>"
)


@pytest.mark.parametrize(
    ("expression", "is_found"),
    [
        ("HISTORY", True), ("//HISTORY", True), ("HISTORY[HID=3]", True), ("HISTORY[HID!=3]", False),
        ("HISTORY[ETIME>0]", False), ("HISTORY[ETIME<=0]", True), ("HISTORY[VM/GID=100 and HID>2]", True),
        ("HISTORY[VM/NAME='web']", True), ('HISTORY[VM/NAME!="web"]', False), ("HISTORY[VM/NAME]", True),
        ("HISTORY[VM/NONE]", False), ("HISTORY[HID=4 or HID=3]", True), ("HISTORY[HID=3][ETIME>0]", False),
        ("HISTORY[VM/NONE!='x']", False), ("HISTORY[HOSTNAME>3]", False),
    ],
)  # fmt: skip
def test_records_by_path(expression: str, is_found: bool) -> None:
    assert record_paths.test(expression, "HISTORY")(RECORD) is is_found


@pytest.mark.parametrize("expression", ["", "VM[ID=1]", "HISTORY[", "HISTORY[not(VM)]", "HISTORY/VM"])
def test_paths_that_are_not_understood(expression: str) -> None:
    with pytest.raises(CliError, match="--xpath: "):
        record_paths.test(expression, "HISTORY")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, "ETHER"), ({"ip": "10.0.0.1"}, "IP4"), ({"ip": "10.0.0.1", "ip6_ula": "fd00::"}, "IP4_6"),
        ({"ip": "10.0.0.1", "ip6": "2001:db8::1/64"}, "IP4_6_STATIC"), ({"ip6_global": "2001:db8::"}, "IP6"),
        ({"ip6": "2001:db8::1/64"}, "IP6_STATIC"),
    ],
)  # fmt: skip
def test_types_of_address_ranges(given: dict[str, Any], kind: str) -> None:
    text = vnet_options.address_range(Options({"size": 5, **given}))
    assert text.startswith(f'AR=[\n  TYPE="{kind}",\n  SIZE="5"')
    assert ('PREFIX_LENGTH="64"' in text) == ("ip6" in given)


def test_names_of_addresses() -> None:
    assert [vnet_options.address_name(text) for text in ("10.0.0.1", "2001:db8::1", "02:00:0a:00:00:01")] == [
        "IP", "IP6", "MAC",
    ]  # fmt: skip
    assert vnet_options.lease("10.0.0.1", 2) == 'LEASES=[\n  IP="10.0.0.1",\n  AR_ID="2" ]'
    for text in ("10.0.0.256", "x", "02:00:0a:00:00"):
        with pytest.raises(CliError, match="Expected an IPv4"):
            vnet_options.address_name(text)


def test_subjects_without_white_space() -> None:
    assert auth_keys.escape("/C=DE/CN=Jo Doe\t") == "/C=DE/CN=Jo\\20Doe\\9"


def test_actions_keep_their_numbers() -> None:
    """A line end once split one name in two, and shifted those behind it."""
    assert [vm_states.action_name(number) for number in (21, 26, 27, 45, 47, 49)] == [
        "disk-attach", "disk-snapshot-delete", "terminate", "disk-snapshot-rename", "alias-detach",
        "poweroff-hard-migrate",
    ]  # fmt: skip


def test_the_free_width_is_shared_as_the_original_shares_it() -> None:
    """Rounded parts; what is left goes to the last column that grows."""
    columns = [Column("ID", "", 4), Column("NAME", "", 15, expand=-1), Column("BRIDGE", "", 8, expand=-1)]
    assert table.widths(columns, [], 85) == [4, 52, 27]
    columns[1].expand = columns[2].expand = 0.4
    assert table.widths(columns, [], 85) == [4, 37, 42]
    assert table.widths(columns, [], None) == table.widths(columns, [], 20) == [4, 15, 8]
