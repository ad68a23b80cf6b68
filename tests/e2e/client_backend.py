"""The official Python client, whichever version is on the path, doing what it is asked to.

Run as a program (`python -m tests.e2e.client_backend`), it reads one JSON document a line from standard input: first
where the server is, and a key; then one call of an operation at a time. It answers each with one line.
"""

import json
import sys
from datetime import datetime
from typing import Any

import sunshine_conversations_client as sc

from tests.e2e.client_walk_models import inner, model

TIMEOUT_S = 20


def main() -> None:
    """Answer until there is nothing more to read."""
    given = json.loads(sys.stdin.readline())
    client = sc.ApiClient(sc.Configuration(host=given["host"], username=given["key"], password=given["secret"]))
    _say({"version": sc.__version__})
    for line in sys.stdin:
        asked = json.loads(line)
        api, _, operation = asked["operation"].partition(".")
        bodies = [model(name, body) for name, body in asked["body"].items()]
        call = getattr(getattr(sc, api)(client), operation)
        try:
            answer = call(given["app"], *asked["of"], *bodies, _request_timeout=TIMEOUT_S)
            _say({"status": 200, "json": _plain(answer)})
        except sc.ApiException as refused:
            _say({"status": refused.status, "json": json.loads(refused.body)})


def _plain(value: Any) -> Any:
    """An answer as JSON, member by member: what 17.0.1 writes of its models lacks all that is only to be read.

    Without nulls: 17.0.1 has one for each member that the answer leaves out, and 16.0.1 has none.
    """
    value = inner(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(type(value), "model_fields"):
        names = {name: field.alias or name for name, field in type(value).model_fields.items()}
    elif hasattr(value, "attribute_map"):
        names = value.attribute_map
    else:
        return value
    members = {wire: _plain(getattr(value, name)) for name, wire in names.items()}
    return {wire: member for wire, member in members.items() if member is not None}


def _say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
