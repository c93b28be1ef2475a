"""Secret attributes: encrypted as release 6.0 does it, in clear for administrators who ask."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from services.common.template import Template
from services.oned.auth import encrypted, master_key
from services.oned.auth.credentials import CredentialsError
from services.oned.config import OnedConf
from tests.support.core import Core
from tests.support.tokens import openssl


def key_hex(core: Core) -> str:
    """The AES key for the openssl program: the first 32 characters of the key file."""
    return core.zone.conf.key_file.read_text().strip()[:32].encode().hex()


def opened(core: Core, value: str) -> str:
    """What an encrypted value says, by the openssl program."""
    data = base64.b64decode(value)
    return openssl("enc", "-d", "-aes-256-cbc", "-K", key_hex(core), "-iv", "0" * 32, stdin=data).decode()


def closed(core: Core, text: str) -> str:
    """A value encrypted by the openssl program."""
    data = openssl("enc", "-aes-256-cbc", "-K", key_hex(core), "-iv", "0" * 32, stdin=text.encode())
    return base64.b64encode(data).decode()


@pytest.fixture
def host(core: Core) -> int:
    """A host with a secret attribute, which stock settings name."""
    oid: int = core.call("host.allocate", "n1", "dummy", "dummy", 0)
    core.call("host.update", oid, 'NSX_PASSWORD="s3cret ü"\nOTHER="x"', 0)
    return oid


def in_host(core: Core, host: int, decrypt: bool = False, user: str = "oneadmin") -> str:
    """The secret as an info call shows it."""
    return core.info("host.info", host, decrypt, user=user).findtext("TEMPLATE/NSX_PASSWORD") or ""


def test_a_secret_is_stored_as_release_6_0_stores_it(core: Core, host: int) -> None:
    value = in_host(core, host)
    assert opened(core, value) == "s3cret ü"
    ((body,),) = core.rows("SELECT body FROM host_pool WHERE oid = ?", host)
    assert value in body and "s3cret" not in body
    assert core.info("host.info", host).findtext("TEMPLATE/OTHER") == "x"


def test_administrators_may_see_it(core: Core, host: int) -> None:
    assert in_host(core, host, True) == "s3cret ü"
    uid = core.add_user("ann", 1)
    core.call("acl.addrule", f"{0x100000000 | uid:x}", f"{0x2400000000:x}", "1", f"{0x400000000:x}")
    assert in_host(core, host, True, "ann") == in_host(core, host)
    core.call("user.addgroup", uid, 0)
    assert in_host(core, host, True, "ann") == "s3cret ü"


def test_what_release_6_0_has_written_is_read(core: Core, host: int) -> None:
    value = closed(core, "from 6.0")
    core.call("host.update", host, f'NSX_PASSWORD="{value}"', 1)
    assert in_host(core, host) == value  # the key opens it: it is encrypted already
    assert in_host(core, host, True) == "from 6.0"


def test_further_updates_do_not_encrypt_twice(core: Core, host: int) -> None:
    value = in_host(core, host)
    core.call("host.update", host, 'A="1"', 1)
    assert in_host(core, host) == value
    core.call("host.update", host, f'NSX_PASSWORD="{value}"', 0)
    assert in_host(core, host) == value


def conf(folder: Path, settings: str) -> OnedConf:
    """Settings with a key of their own."""
    return OnedConf(Template.parse(settings), db=None, key_file=folder / "one_key")  # type: ignore[arg-type]


def test_parts_of_vectors(tmp_path: Path) -> None:
    settings = conf(tmp_path, 'VM_ENCRYPTED_ATTR="CONTEXT/PASSWORD"\nVM_ENCRYPTED_ATTR="CONTEXT/PIN"')
    template = Template.parse(
        'CONTEXT=[PASSWORD="a",PIN="",USER="b"]\nCONTEXT=[PASSWORD="c"]\nPASSWORD="d"\nOTHER=[PASSWORD="e"]'
    )
    before = template.copy()
    encrypted.encrypt(settings, "VM", template)
    first, second = template.vectors("CONTEXT")
    assert first["PASSWORD"] != "a" and second["PASSWORD"] != "c"
    assert (first["PIN"], first["USER"]) == ("", "b")
    assert template.get("PASSWORD") == "d" and template.vectors("OTHER")[0]["PASSWORD"] == "e"
    shown = Template.from_element(_parsed(encrypted.decrypted_body(settings, "VM", template.to_xml())))
    assert shown == before
    encrypted.decrypt(settings, "VM", template)
    assert template == before


def test_several_attributes_of_one_name(tmp_path: Path) -> None:
    settings = conf(tmp_path, 'IMAGE_ENCRYPTED_ATTR="PIN"')
    template = Template([("PIN", "1"), ("PIN", {"A": "2"}), ("PIN", "")])
    encrypted.encrypt(settings, "IMAGE", template)
    first, vector, empty = template.get_all("PIN")
    assert first != "1" and vector == {"A": "2"} and len(str(empty)) == 24  # an empty text is encrypted, too
    encrypted.decrypt(settings, "IMAGE", template)
    assert template.get_all("PIN") == ["1", {"A": "2"}, ""]


def test_only_the_kinds_and_names_that_are_set(tmp_path: Path) -> None:
    settings = conf(tmp_path, 'VNET_ENCRYPTED_ATTR="PIN"')
    for kind, expected in (("NET", True), ("VNTEMPLATE", True), ("IMAGE", False), ("SECGROUP", False)):
        template = Template([("PIN", "1"), ("PINS", "1")])
        encrypted.encrypt(settings, kind, template)
        assert (template.get("PIN") != "1") is expected and template.get("PINS") == "1"


@pytest.mark.parametrize("text", ["AAAA", "a" * 24, "=", "s3cret", "A" * 44, "\u00e4"])
def test_plain_values_that_look_like_encrypted_ones(tmp_path: Path, text: str) -> None:
    (tmp_path / "one_key").write_text("0" * 64)
    settings = conf(tmp_path, 'HOST_ENCRYPTED_ATTR="PIN"')
    body = Template([("PIN", text)]).to_xml()
    assert encrypted.decrypted_body(settings, "HOST", body) == body
    template = Template([("PIN", text)])
    encrypted.encrypt(settings, "HOST", template)
    assert template.get("PIN") != text
    encrypted.decrypt(settings, "HOST", template)
    assert template.get("PIN") == text


def test_values_cannot_break_the_document(tmp_path: Path) -> None:
    settings = conf(tmp_path, 'HOST_ENCRYPTED_ATTR="PIN"')
    template = Template([("PIN", "a]]></PIN><ADMIN>1</ADMIN>")])
    encrypted.encrypt(settings, "HOST", template)
    shown = _parsed(encrypted.decrypted_body(settings, "HOST", template.to_xml()))
    assert [child.tag for child in shown] == ["PIN"] and shown[0].text == "a]]></PIN><ADMIN>1</ADMIN>"


def _parsed(text: str):  # type: ignore[no-untyped-def]
    from services.common import xmldoc

    return xmldoc.parse(text)


# -- the key -----------------------------------------------------------------------------------------------
def test_the_key_is_made_once_and_for_one_reader(core: Core) -> None:
    file = core.zone.conf.key_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text().strip()
    assert len(text) == 64 and int(text, 16)
    assert master_key.read(file) == text


def test_a_key_that_is_there_is_used(tmp_path: Path) -> None:
    (tmp_path / "one_key").write_text("from 6.0 \n")
    assert master_key.read(tmp_path / "one_key") == "from"  # OpenNebula reads the first word


def test_keys_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "one_key").write_text("\n")
    with pytest.raises(CredentialsError, match="is empty"):
        master_key.read(tmp_path / "one_key")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CredentialsError, match="folder"):
        master_key.read(tmp_path / "folder")
