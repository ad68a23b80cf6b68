"""The API that end users' browsers and phones speak: SDK protocol 2 (facts on the SDK protocol, section 1.5)."""

from knownas.http.edge import Facade
from knownas.http.sdk import appusers, config, sessions
from knownas.http.sdk.errors import render_error

_APP = "/v2/apps/{app}"

FACADE = Facade(
    name="sdk",
    prefixes=("/sdk", "/sc/sdk"),
    routes=[
        ("GET", "/v2/integrations/{integration}/config", config.get),
        ("POST", _APP + "/login", sessions.log_in_route),
        ("POST", _APP + "/appusers", appusers.create),
        ("POST", _APP + "/appusers/upgrade", sessions.upgrade),
        ("GET", _APP + "/appusers/{user}", appusers.get),
        ("PUT", _APP + "/appusers/{user}", appusers.update),
        ("POST", _APP + "/appusers/{user}/logout", sessions.log_out_route),
    ],
    render_error=render_error,
    cors=True,
)
