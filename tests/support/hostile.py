"""Values that a client should not send, and may: for every kind of argument, and whole templates."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from services.oned.api.registry import Method

INTS = [-(2**63), -(2**31) - 1, -(2**31), -1000, -5, -2, -1, 0, 1, 7, 2**31 - 1, 2**31, 2**40, 2**63 - 1]
TEXTS = [
    "",
    " ",
    "\n",
    "0",
    "-1",
    "99999999999999999999999",
    "1e999",
    "NaN",
    "0x",
    "²",
    "x' OR '1'='1",
    "'; DROP TABLE user_pool; --",
    '" UNION SELECT body FROM user_pool --',
    "%' ESCAPE '!",
    "?",
    "%s %d {0} {name} %(x)s",
    "$(reboot) `reboot` ; reboot | reboot && reboot",
    "../../../etc/passwd",
    "/",
    "a" * 129,
    "a" * 1_000_000,
    "ü" * 1000,
    "\u202e\u200b\U0001f4a9",
    "]]>",
    "<a>&amp;</a>",
    "&lt;",
    "\t",
    "\\",
    '"',
    ",,,,",
    "1,2,x",
    "0,0,0," * 50_000,
    "#",
    "YES",
    "oneadmin",
    "\x7f\x85\ufeff",
]
_TEMPLATE_NAMES = (
    "NAME",
    "CPU",
    "MEMORY",
    "VCPU",
    "DISK",
    "NIC",
    "SIZE",
    "TYPE",
    "CONTEXT",
    "VMS",
    "OS",
    "X",
)
TEMPLATES = [
    "=",
    "A",
    "A=",
    "A=[",
    "A=[]",
    "A=[B=1",
    'A="',
    'A="' + "x\\" * 10_000,
    "A=[B=[C=1]]",
    "[" * 10_000,
    "A=[" * 10_000,
    "=" * 10_000,
    "A=1\n" * 20_000,
    "\n".join(f"A{n}=1" for n in range(20_000)),
    "A=[" + ",".join(f"B{n}=1" for n in range(20_000)) + "]",
    " " * 200_000 + "A=1",
    "A=" + " " * 200_000,
    "A = " + "b " * 100_000 + "\n",
    "#" * 200_000,
    'A="\\"\\"' * 20_000,
    "<T>" * 50_000,
    "<T>" * 200 + "</T>" * 200,
    "<T><A>1</A>",
    "<T><A><B><C>1</C></B></A></T>",
    "<!DOCTYPE T [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]><T><A>&b;</A></T>",
    "<!DOCTYPE T [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><T><A>&x;</A></T>",
    "<?xml version='1.0' encoding='utf-16'?><T/>",
    "<T><A>&#0;</A></T>",
    "<T xmlns:x='y'><x:A>1</x:A></T>",
    "<T><A><?pi x?></A><!-- c --></T>",
    "NAME=\x7f\nCPU=1\nMEMORY=64",
    "CPU=-1\nMEMORY=-1",
    "CPU=1e308\nMEMORY=99999999999999999999",
    "CPU=nan\nMEMORY=inf\nVCPU=0x10",
    "CPU=1\nMEMORY=1\nVCPU=99999999999",
    "CPU=1\nMEMORY=64\nDISK=x\nNIC=y\nCONTEXT=z\nOS=1\nGRAPHICS=2\nTOPOLOGY=3\nSCHED_ACTION=4",
    "CPU=1\nMEMORY=64\nDISK=[IMAGE_ID=-1]",
    "CPU=1\nMEMORY=64\nDISK=[IMAGE_ID=99999999999999999999]",
    "CPU=1\nMEMORY=64\nDISK=[IMAGE_ID=x,SIZE=y]\nNIC=[NETWORK_ID=z]",
    "CPU=1\nMEMORY=64\nDISK=[SIZE=99999999999999999999,TYPE=fs]",
    "CPU=1\nMEMORY=64\n" + "NIC=[NETWORK_ID=0]\n" * 50,
    "CPU=1\nMEMORY=64\n" + "DISK=[SIZE=1,TYPE=fs]\n" * 200,
    "VM=[CPU=x]",
    "VM=[CPU=1e999,MEMORY=-7,VMS=nan]",
    "VM=1\nDATASTORE=[ID=x,SIZE=y]\nNETWORK=[]\nIMAGE=[ID=99999999999999999999,RVMS=1]",
    "AR=x",
    "AR=[TYPE=IP4]",
    "AR=[TYPE=IP4,IP=999.1.1.1,SIZE=1]",
    "AR=[TYPE=IP4,IP=255.255.255.255,SIZE=99999999999999]",
    "AR=[TYPE=ETHER,MAC=zz,SIZE=-1]",
    "AR=[TYPE=IP6,SIZE=1e9,GLOBAL_PREFIX=::::]",
    "AR=[TYPE=IP6_STATIC,IP6=x,PREFIX_LENGTH=9999,SIZE=5]",
    "LEASES=x",
    "LEASES=[IP=0.0.0.0]",
    "LEASES=[IP=x,MAC=y]",
    "SIZE=99999999999999999999",
    "SIZE=-5\nNETWORK_ID=x\nAR_ID=y\nIP=z\nMAC=w",
    "RULE=[PROTOCOL=x,RULE_TYPE=y,RANGE=99999:1,IP=zz,SIZE=-1]",
    "ROLE=[NAME=" + "x" * 1000 + ",POLICY=y]\nAFFINED=z",
    "NAME=h\nTYPE=state\nCOMMAND=x\nRESOURCE=y\nSTATE=z\nON=w",
    "SERVER=[NAME=s]",
]

# Requests that are not XML-RPC, or not what this interface takes of it.
_CALL = (
    b"<?xml version='1.0'?><methodCall><methodName>one.vm.info</methodName><params>%s</params></methodCall>"
)
_ENTITIES = b"<!DOCTYPE x [<!ENTITY a 'aaaa'>" + b"".join(
    b"<!ENTITY %c '&%c;&%c;&%c;&%c;'>" % (n + 1, n, n, n, n) for n in range(ord("a"), ord("k"))
)
REQUESTS = {
    "nothing": b"",
    "text": b"hello",
    "binary": bytes(range(256)),
    "no method": b"<methodCall></methodCall>",
    "response": b"<methodResponse><params/></methodResponse>",
    "not closed": _CALL[:60],
    "invalid utf-8": _CALL % b"<param><value><string>\xff\xfe</string></value></param>",
    "control characters": _CALL % b"<param><value><string>\x00\x01</string></value></param>",
    "character reference": _CALL % b"<param><value><string>&#1;</string></value></param>",
    "utf-16": f"<?xml version='1.0' encoding='utf-16'?>{(_CALL % b'').decode()}".encode("utf-16"),
    "unknown encoding": b"<?xml version='1.0' encoding='klingon'?><methodCall/>",
    "wide encoding": b"<?xml version='1.0' encoding='gbk'?><methodCall/>",
    "entities": _ENTITIES + b"]><methodCall><methodName>&k;</methodName></methodCall>",
    "external entity": b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><methodCall>&a;</methodCall>",
    "parameter entity": b"<!DOCTYPE x [<!ENTITY % a SYSTEM 'http://127.0.0.1/'> %a;]><methodCall/>",
    "arrays": _CALL % (b"<value><array><data>" * 5_000 + b"</data></array></value>" * 5_000),
    "structs": _CALL % (b"<struct><member><name>x</name><value>" * 5_000),
    "elements": b"<a>" * 500_000,
    "many parameters": _CALL % (b"<param><value><i4>1</i4></value></param>" * 50_000),
    "many attributes": b"<methodCall " + b" ".join(b"a%d='1'" % n for n in range(20_000)) + b"/>",
    "a long name": b"<methodCall><methodName>" + b"x" * 1_000_000 + b"</methodName></methodCall>",
    "a dunder name": b"<methodCall><methodName>__class__</methodName><params/></methodCall>",
    "struct": _CALL % b"<param><value><struct><member><name>a</name></member></struct></value></param>",
    "date": _CALL % b"<param><value><dateTime.iso8601>x</dateTime.iso8601></value></param>",
    "base64": _CALL % b"<param><value><base64>eA==</base64></value></param>",
    "nil": _CALL % b"<param><value><nil/></value></param>",
    "big int": _CALL % b"<param><value><i4>99999999999</i4></value></param>",
    "huge int": _CALL % (b"<param><value><i8>" + b"9" * 100_000 + b"</i8></value></param>"),
    "empty int": _CALL % b"<param><value><int></int></value></param>",
    "odd int": _CALL % "<param><value><int>١_٢</int></value></param>".encode(),
    "boolean": _CALL % b"<param><value><boolean>2</boolean></value></param>",
    "double": _CALL % b"<param><value><double>nan</double></value></param>",
    "values outside": b"<methodCall><methodName>one.vm.info</methodName><value>x</value></methodCall>",
    "nested methods": b"<methodCall><methodName>one<methodName>x</methodName></methodName></methodCall>",
    "cdata": _CALL % b"<param><value><string><![CDATA[oneadmin:opennebula]]></string></value></param>",
    "comment": _CALL % (b"<!--" + b"x" * 1_000_000 + b"-->"),
    "instruction": _CALL % b"<?php x ?>",
}


def template() -> st.SearchStrategy[str]:
    """A template that is broken, senseless or only odd."""
    value = st.sampled_from([text for text in TEXTS if len(text) < 2000])
    quoted = value.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    pair = st.tuples(st.sampled_from(_TEMPLATE_NAMES), quoted)
    vector = st.lists(pair, min_size=1, max_size=4).map(
        lambda parts: "[" + ",".join(f"{name}={text}" for name, text in parts) + "]"
    )
    line = st.tuples(st.sampled_from(_TEMPLATE_NAMES), quoted | vector).map("=".join)
    return st.sampled_from(TEMPLATES) | st.lists(line, max_size=6).map("\n".join)


def value_of_kind(kind: str) -> st.SearchStrategy[Any]:
    """A value of the right XML-RPC type."""
    if kind == "s":
        return st.sampled_from(TEXTS) | template() | st.text(max_size=20)
    if kind == "b":
        return st.booleans() | st.sampled_from([2, -1])
    if kind == "A":
        numbers = st.sampled_from(INTS)
        return st.lists(numbers, max_size=4) | st.just([1] * 20_000)
    return st.sampled_from(INTS) | st.integers(-10, 200)


def _anything() -> st.SearchStrategy[Any]:
    return st.sampled_from(["x", 1, True, 1.5, [], [1, "x"], [[[[1]]]], ["x"], 2**40, -1])


def arguments(row: Method, usual: list[Any]) -> st.SearchStrategy[list[Any]]:
    """Arguments for a method: the usual ones with one or two replaced, now and then too many or too few."""

    @st.composite
    def changed(draw: st.DrawFn) -> list[Any]:
        args = list(usual)
        for _ in range(draw(st.integers(1, 2)) if args else 0):
            at = draw(st.integers(0, len(args) - 1))
            right = value_of_kind(row.params[at].kind)
            args[at] = draw(st.one_of(right, right, right, _anything()))
        length = draw(st.sampled_from(["right"] * 8 + ["more", "fewer"]))
        if length == "more":
            args += draw(st.lists(_anything(), min_size=1, max_size=3))
        elif length == "fewer":
            del args[draw(st.integers(0, len(args))) :]
        return args

    return changed()
