"""The administration of a zone from end to end, with whatever release of pyone this interpreter has.

``python -m tests.tours.administration ENDPOINT`` with oneadmin's session on standard input. Ends with
0 and one line of JSON when every part worked and the zone holds what it held before.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time

from tests.tours import cloud, limits, people, rules, sharing, vdcs
from tests.tours.tour import Tour

PARTS = (people, sharing, rules, vdcs, limits, cloud)


def main() -> int:
    """Run the parts in order; the first fault ends the tour with its traceback."""
    names = sys.argv[2:] or [part.__name__.rpartition(".")[2] for part in PARTS]
    tour = Tour(sys.argv[1], sys.stdin.read().strip())
    before, taken_s = tour.contents(), {}
    for part in PARTS:
        name = part.__name__.rpartition(".")[2]
        if name in names:
            started = time.monotonic()
            part.run(tour)
            taken_s[name] = round(time.monotonic() - started, 1)
    after = tour.contents()
    assert after == before, (
        f"left behind: {[(k, before[k], after[k]) for k in after if after[k] != before[k]]}"
    )
    print(json.dumps({"pyone": importlib.metadata.version("pyone"), "parts": taken_s}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
