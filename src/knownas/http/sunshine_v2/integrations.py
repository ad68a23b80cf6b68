"""Integrations: create, list, get, update, delete."""

from typing import Final
from urllib.parse import urlencode

from knownas.http.call import Answer, Call, json_answer
from knownas.http.decode import InvalidBody
from knownas.http.sunshine_v2 import wire_integrations as wire
from knownas.http.sunshine_v2.paging import page_of, paged
from knownas.http.sunshine_v2.scope import APP, acting_on_app
from knownas.integrations.create import add_integration
from knownas.integrations.delete import delete_integration
from knownas.integrations.find import get_integration, list_integrations
from knownas.integrations.update import update_integration

_TYPES_AT_MOST: Final = 50


async def create(call: Call) -> Answer:
    """POST …/integrations: 201; the answer shows the secrets of its webhooks, and no write-only option."""
    app, _ = await acting_on_app(call, APP)
    type = (await call.json(wire.TypeBody)).type
    body = await call.json(wire.create_body(type))
    described = await call.services.database.write(
        app, add_integration, type, body.display_name or None, wire.given(body), wire.new_webhooks(body)
    )
    return json_answer({"integration": wire.integration(described)}, 201)


async def list_page(call: Call) -> Answer:
    """GET …/integrations, of all types or of those in filter[types]."""
    app, _ = await acting_on_app(call, APP)
    page, types = page_of(call), _types(call)
    found = await call.services.database.read(
        app, list_integrations, types, after=page.after, before=page.before, limit=page.size + 1
    )
    shown, around = paged(call, page, found)
    links = around.get("links")
    if types and isinstance(links, dict):
        filtered = urlencode({"filter[types]": ",".join(types)})
        around["links"] = {direction: f"{link}&{filtered}" for direction, link in links.items()}
    return json_answer({"integrations": [wire.integration(one) for one in shown], **around})


async def get(call: Call) -> Answer:
    """GET …/integrations/{integration}."""
    app, _ = await acting_on_app(call, APP)
    described = await call.services.database.read(app, get_integration, call.params["integration"])
    return json_answer({"integration": wire.integration(described)})


async def update(call: Call) -> Answer:
    """PATCH …/integrations/{integration}: what is absent stays, null clears."""
    app, _ = await acting_on_app(call, APP)
    before = await call.services.database.read(app, get_integration, call.params["integration"])
    body = await call.json(wire.update_body(before.integration.type))
    wire.refuse_changed_webhooks(body, before)
    described = await call.services.database.write(
        app, update_integration, before.id, body.display_name, wire.given(body)
    )
    return json_answer({"integration": wire.integration(described)})


async def delete(call: Call) -> Answer:
    """DELETE …/integrations/{integration}: 200 and an empty object; its keys are refused from now on."""
    app, _ = await acting_on_app(call, APP)
    await call.services.database.write(app, delete_integration, call.params["integration"])
    return json_answer({})


def _types(call: Call) -> list[str]:
    """The types in the filter. Raises InvalidBody."""
    filters = call.query().get("filter", {})
    types = filters.get("types", "") if isinstance(filters, dict) else None
    if not isinstance(types, str):
        raise InvalidBody("Invalid query parameters")
    asked = list(dict.fromkeys(name.strip() for name in types.split(",") if name.strip()))
    if len(asked) > _TYPES_AT_MOST:
        raise InvalidBody("Invalid query parameters")
    return asked
