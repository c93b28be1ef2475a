"""Error texts of drivers."""

from __future__ import annotations

from services.oned.drivers.messages import LENGTH_MAX, error_text

BLOCK = "ERROR MESSAGE --8<------\n{}\nERROR MESSAGE ------>8--\n"


def test_the_marked_text_is_the_message() -> None:
    stderr = "INFO: starting\n" + BLOCK.format("disk 0: no space left\non device") + "WARN: later line\n"
    assert error_text(stderr) == "disk 0: no space left\non device"


def test_several_blocks_are_joined() -> None:
    assert error_text(BLOCK.format("one") + "noise\n" + BLOCK.format("two")) == "one\ntwo"


def test_windows_line_ends() -> None:
    assert error_text(BLOCK.format("text").replace("\n", "\r\n")) == "text"


def test_without_marks_the_last_lines_speak() -> None:
    assert error_text("a\nb\n\nc\nd\n") == "b\nc\nd"


def test_an_open_mark_is_not_part_of_the_text() -> None:
    assert error_text("ERROR MESSAGE --8<------\nhalf a message") == "half a message"


def test_empty() -> None:
    assert error_text("") == ""
    assert error_text(BLOCK.format("") + "why\n") == "why"


def test_length() -> None:
    assert len(error_text(BLOCK.format("x" * 10_000))) == LENGTH_MAX


def test_what_ssh_remarks_of_a_first_connection_is_no_reason() -> None:
    remark = "Warning: Permanently added 'node1' (ED25519) to the list of known hosts.\r\n"
    said = "oneadmin@node1: Permission denied (publickey).\r\n"
    assert error_text(remark + said) == said.strip()
    assert error_text(remark) == ""


def test_an_action_that_the_node_has_not_is_named() -> None:
    action = "/var/tmp/one/vnm/ovswitch/pre"
    # As GNU timeout says it, in the node's language settings.
    for mark in ("''", "‘’"):
        said = f"timeout: failed to run command {mark[0]}{action}{mark[1]}: No such file or directory\n"
        assert error_text(said) == f"there is no driver action {action} on the node"
