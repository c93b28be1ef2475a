"""Users, groups and VDCs are read and written back without a change, in the form of real databases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.oned.model.base import PoolObject
from services.oned.model.group import Group
from services.oned.model.user import LoginToken, User
from services.oned.model.vdc import Vdc

DOCUMENTS: list[tuple[type[PoolObject], str]] = [
    (
        User,
        "<USER><ID>4</ID><GID>100</GID><GROUPS><ID>1</ID><ID>100</ID></GROUPS><GNAME>devs</GNAME><NAME>ann</NAME>"
        "<PASSWORD><![CDATA[x]]></PASSWORD><AUTH_DRIVER><![CDATA[ldap]]></AUTH_DRIVER><ENABLED>0</ENABLED>"
        "<LOGIN_TOKEN><TOKEN>aaa</TOKEN><EXPIRATION_TIME>-1</EXPIRATION_TIME><EGID>-1</EGID></LOGIN_TOKEN>"
        "<LOGIN_TOKEN><TOKEN>bbb</TOKEN><EXPIRATION_TIME>1795231308</EXPIRATION_TIME><EGID>100</EGID></LOGIN_TOKEN>"
        "<TEMPLATE><SUNSTONE><LANG><![CDATA[en]]></LANG></SUNSTONE><X><![CDATA[<&>]]></X></TEMPLATE></USER>",
    ),
    (
        Group,
        "<GROUP><ID>100</ID><NAME>devs</NAME><TEMPLATE></TEMPLATE><USERS><ID>4</ID></USERS><ADMINS><ID>4</ID>"
        "</ADMINS></GROUP>",
    ),
    (
        Vdc,
        "<VDC><ID>100</ID><NAME>v</NAME><GROUPS><ID>100</ID></GROUPS><CLUSTERS><CLUSTER><ZONE_ID>0</ZONE_ID>"
        "<CLUSTER_ID>-10</CLUSTER_ID></CLUSTER></CLUSTERS><HOSTS><HOST><ZONE_ID>0</ZONE_ID><HOST_ID>3</HOST_ID>"
        "</HOST></HOSTS><DATASTORES></DATASTORES><VNETS></VNETS><TEMPLATE></TEMPLATE></VDC>",
    ),
]


@pytest.mark.parametrize(("model", "text"), DOCUMENTS, ids=[model.KIND for model, _ in DOCUMENTS])
def test_a_document_is_written_as_it_was_read(model: type[PoolObject], text: str) -> None:
    assert model.from_xml(text).to_xml() == text


@pytest.mark.parametrize("model", [User, Group, Vdc])
def test_documents_of_real_databases(shared_folder: Path, model: type[PoolObject]) -> None:
    compared = 0
    for dump in sorted((shared_folder / "dumps").glob("*.sql")):
        for text in re.findall(rf"'(<{model.ROOT}>.*?</{model.ROOT}>)'", dump.read_text()):
            assert model.from_xml(text).to_xml() == text
            compared += 1
    assert compared >= 2


def test_login_tokens() -> None:
    user = User.from_xml(DOCUMENTS[0][1])
    assert user.tokens == [LoginToken("aaa", -1, -1), LoginToken("bbb", 1795231308, 100)]
    assert [token.is_valid(1795231307.0) for token in user.tokens] == [True, True]
    assert [token.is_valid(1795231309.0) for token in user.tokens] == [True, False]
    user.set_password("new")
    assert user.tokens == []


def test_the_owner_columns_of_users_and_groups() -> None:
    users, groups = User.from_xml(DOCUMENTS[0][1]).columns(), Group.from_xml(DOCUMENTS[1][1]).columns()
    shown = ("uid", "gid", "owner_u", "group_u", "other_u")
    assert [users[name] for name in shown] == [4, 100, 1, 0, 0]
    assert [groups[name] for name in shown] == [0, 100, 1, 1, 0]
