"""Knownas's own admin API, for scripts and the dashboard. `openapi.json` beside this describes it."""

from importlib import resources
from typing import Final

from knownas.http.admin import audit, conflicts, erasures, events, plans, policy, users, webhooks
from knownas.http.admin.errors import render_error
from knownas.http.call import Answer, Call
from knownas.http.edge import Facade

_APP: Final = "/apps/{app}"
_WEBHOOK: Final = _APP + "/webhooks/{webhook}"


async def openapi(_: Call) -> Answer:
    """GET /openapi.json: the description, for everybody."""
    body = resources.files("knownas.http.admin").joinpath("openapi.json").read_bytes()
    return Answer(200, body, ((b"content-type", b"application/json; charset=utf-8"),))


FACADE: Final = Facade(
    name="admin",
    prefixes=("/admin/v1",),
    routes=[
        ("GET", "/openapi.json", openapi),
        ("GET", _APP + "/policy", policy.get),
        ("PATCH", _APP + "/policy", policy.update),
        ("GET", _APP + "/policy/shadow", policy.shadow),
        ("GET", _APP + "/conflicts", conflicts.list_page),
        ("GET", _APP + "/conflicts/{conflict}", conflicts.get),
        ("POST", _APP + "/plans", plans.create),
        ("GET", _APP + "/plans/{plan}", plans.get),
        ("POST", _APP + "/plans/{plan}/execute", plans.execute),
        ("GET", _APP + "/users/{user}/provenance", users.provenance),
        ("GET", _APP + "/users/{user}/merges", users.merges),
        ("GET", _APP + "/audit", audit.list_page),
        ("GET", _APP + "/audit/verify", audit.verify),
        ("GET", _APP + "/erasures", erasures.list_page),
        ("GET", _APP + "/erasures/{erasure}", erasures.get),
        ("GET", _APP + "/events", events.list_page),
        ("POST", _APP + "/webhooks", webhooks.create),
        ("GET", _APP + "/webhooks", webhooks.list_page),
        ("GET", _WEBHOOK, webhooks.get),
        ("PATCH", _WEBHOOK, webhooks.update),
        ("DELETE", _WEBHOOK, webhooks.delete),
        ("POST", _WEBHOOK + "/rotateSecret", webhooks.rotate),
    ],
    render_error=render_error,
)
