"""Sunshine Conversations v2 REST, served under /v2 and /sc/v2 (spec/sunshine-v2.yaml)."""

from knownas.http.edge import Facade
from knownas.http.sunshine_v2 import apps, clients, keys, token_info, users
from knownas.http.sunshine_v2.errors import render_error

_APP = "/apps/{app}"
_USER = _APP + "/users/{user}"

FACADE = Facade(
    name="sunshine_v2",
    prefixes=("/v2", "/sc/v2"),
    routes=[
        ("POST", "/apps", apps.create),
        ("GET", "/apps", apps.list_page),
        ("GET", _APP, apps.get),
        ("PATCH", _APP, apps.update),
        ("DELETE", _APP, apps.delete),
        ("POST", _APP + "/keys", keys.create),
        ("GET", _APP + "/keys", keys.list_all),
        ("GET", _APP + "/keys/{key}", keys.get),
        ("DELETE", _APP + "/keys/{key}", keys.delete),
        ("POST", _APP + "/users", users.create),
        ("GET", _APP + "/users", users.list_by_email_identity),
        ("GET", _USER, users.get),
        ("PATCH", _USER, users.update),
        ("DELETE", _USER, users.delete),
        ("DELETE", _USER + "/personalinformation", users.delete_personal_information),
        ("GET", _USER + "/clients", clients.list_page),
        ("DELETE", _USER + "/clients/{client}", clients.remove),
        ("GET", _USER + "/devices", clients.list_devices_of),
        ("GET", _USER + "/devices/{device}", clients.get_device_of),
        ("GET", "/tokenInfo", token_info.get),
    ],
    render_error=render_error,
)
