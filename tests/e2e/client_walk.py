"""A walk through every operation of the official Python client, whichever version is on the path.

Run as a program (`python -m tests.e2e.client_walk`), it reads one JSON document (where the server is, and keys) from
standard input, tells every chapter, and writes one JSON document: the client's version, what went wrong in each
chapter, which operations the client has, which were walked, and the secrets that were seen.
"""

import json
import sys
import traceback

import sunshine_conversations_client as sc

from tests.e2e import client_walk_oauth, client_walk_people, client_walk_setup, client_walk_talk
from tests.e2e.client_walk_world import CHAPTERS, World, operations, secrets

PARTS = (client_walk_setup, client_walk_people, client_walk_talk, client_walk_oauth)


def main() -> None:
    """Walk, and report."""
    given = json.loads(sys.stdin.read())
    walked: set[str] = set()
    failures = {}
    for name, told in CHAPTERS.items():
        try:
            told(World(given, walked))
        except Exception:  # noqa: BLE001  whatever it was, the test of that chapter shows it
            failures[name] = traceback.format_exc()
    report = {
        "version": sc.__version__,
        "failures": failures,
        "told": list(CHAPTERS),
        "operations": sorted(operations()),
        "walked": sorted(walked),
        "secrets": sorted(secrets),
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
