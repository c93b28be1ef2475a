"""The way of a first VM with pyone 6.10.5, in an environment of its own."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(120)

_SCRIPT = """
import json, sys, time
import pyone

one = pyone.OneServer(sys.argv[1], session=sys.stdin.read())


def wait(done):
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)


host = one.host.allocate("newer", "dummy", "dummy", 0)
wait(lambda: one.host.info(host).STATE == 2)
template = one.template.allocate({"NAME": "newer", "CPU": "0.1", "MEMORY": "16", "NOTE": "a & b"})
vm = one.template.instantiate(template, "", False, "", False)
wait(lambda: one.vm.info(vm).LCM_STATE == 3)
seen = {"note": one.vm.info(vm).USER_TEMPLATE["NOTE"]}
seen["pool"] = [one_vm.ID for one_vm in one.vmpool.info(-2, -1, -1, -1).VM]
one.vm.action("terminate", vm)
wait(lambda: one.vm.info(vm).STATE == 6)
try:
    one.vm.info(9999)
except pyone.OneNoExistsException as error:
    seen["missing"] = str(error)
try:
    one.vm.allocate("CPU=abc\\nMEMORY=1", False)
except pyone.OneInternalException as error:
    seen["refused"] = str(error)
one.host.delete(host)
print(json.dumps({"vm": vm, **seen}))
"""


def test_a_first_vm(frontend: Frontend, newer_pyone: str) -> None:
    done = subprocess.run(
        [newer_pyone, "-c", _SCRIPT, frontend.endpoint],
        input=frontend.session,
        text=True,
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["note"] == "a & b" and seen["pool"] == [seen["vm"]]
    assert "9999" in seen["missing"] and "CPU" in seen["refused"]
