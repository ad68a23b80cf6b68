"""Apps: create, list, get, update, delete."""

from typing import Any

import msgspec

from knownas.apps import App, AppSettings
from knownas.apps.create import create_app
from knownas.apps.delete import delete_app
from knownas.apps.update import get_app, update_app
from knownas.http.app_scope import Forbidden, caller_with
from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2 import wire
from knownas.http.sunshine_v2.paging import page_of, paged
from knownas.http.sunshine_v2.scope import ACCOUNT, APP, acting_on_app
from knownas.http.sunshine_v2.wire import AppCreateBody, AppUpdateBody
from knownas.transaction import Transaction


async def create(call: Call) -> Answer:
    """POST /v2/apps: 201."""
    caller = await caller_with(call, ACCOUNT)
    body = await call.json(AppCreateBody)
    settings = msgspec.convert(_given(body.settings), AppSettings)
    database = call.services.database
    app = await database.write(
        database.new_app(), create_app, caller.account_id, body.display_name, settings, body.metadata
    )
    return json_answer({"app": wire.app(app)}, 201)


async def list_page(call: Call) -> Answer:
    """GET /v2/apps: the apps of the caller's account."""
    caller = await caller_with(call, ACCOUNT)
    filters = call.query().get("filter")
    if isinstance(filters, dict) and filters.get("serviceAccountId"):
        raise Forbidden("The serviceAccountId provided does not match supplied credentials")
    page = page_of(call)
    database = call.services.database
    apps = await database.read(
        database.new_app(), _list, caller.account_id, after=page.after, before=page.before, limit=page.size + 1
    )
    shown, around = paged(call, page, apps)
    return json_answer({"apps": [wire.app(app) for app in shown], **around})


async def get(call: Call) -> Answer:
    """GET /v2/apps/{app}."""
    app, _ = await acting_on_app(call, APP)
    return json_answer({"app": wire.app(await call.services.database.read(app, get_app))})


async def update(call: Call) -> Answer:
    """PATCH /v2/apps/{app}: what is absent stays; metadata is merged key by key."""
    app, _ = await acting_on_app(call, APP)
    body = await call.json(AppUpdateBody)
    changed = await call.services.database.write(
        app, update_app, body.display_name, _given(body.settings), body.metadata
    )
    return json_answer({"app": wire.app(changed)})


async def delete(call: Call) -> Answer:
    """DELETE /v2/apps/{app}: 200 and an empty object."""
    app, _ = await acting_on_app(call, ACCOUNT)
    await call.services.database.write(app, delete_app)
    return json_answer({})


async def _list(tx: Transaction, account_id: str, *, after: str | None, before: str | None, limit: int) -> list[App]:
    return await tx.apps.page(account_id, after=after, before=before, limit=limit)


def _given(settings: wire.AppSettingsBody | None) -> dict[str, Any]:
    """The settings that were sent, by their wire names."""
    return {} if settings is None else dict(msgspec.to_builtins(settings))
