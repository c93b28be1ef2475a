"""Programs of the front-end that a command hands over to, since they need what only the front-end has.

The commands run without the front-end's virtual environment; such a program runs in it, as onedb does.
"""

from __future__ import annotations

import glob
import os
import sys

from services.cli.errors import CliError

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(module: str, *words: str) -> int:
    """Become ``python -m module words``. Raises CliError when this is not the front-end's machine."""
    for python in _pythons():
        if os.access(python, os.X_OK):
            sys.stdout.flush()
            os.execve(python, [python, "-m", module, *words], {**os.environ, "PYTHONPATH": _ROOT})
    raise CliError("This works on the front-end only: its programs are not installed on this machine.")


def _pythons() -> list[str]:
    """Where the front-end's interpreter can be: told, in the image, in a checkout."""
    told = os.environ.get("ONEBOX_PYTHON")
    return [
        *([told] if told else []),
        os.path.join(os.path.dirname(_ROOT), "venv", "bin", "python"),
        *glob.glob(os.path.join(glob.escape(_ROOT), ".venv", "run-*", "bin", "python")),
    ]
