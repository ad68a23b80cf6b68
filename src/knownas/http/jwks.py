"""The public keys with which receivers verify `X-FusionAuth-Signature-JWT`, as a JWK set (RFC 7517)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from knownas.http.services import Services
from knownas.ids import id_of_uuid, is_id
from knownas.webhooks.event_webhooks import list_public_keys


async def key_set(services: Services, request: Request) -> Response:
    """GET /.well-known/jwks.json: all webhooks' keys or, with `?app=`, those of one app's webhooks.

    A receiver that asks for its own app's believes no signature that was made for another's. The app is named by its
    id, as such or as a UUID.
    """
    asked = request.query_params.get("app")
    app_id = None if asked is None else asked if is_id(asked) else id_of_uuid(asked)
    if asked is not None and app_id is None:
        keys = []
    else:
        database = services.database
        keys = [key.jwk for key in await database.read(database.new_app(), list_public_keys, app_id)]
    return JSONResponse({"keys": keys}, headers={"cache-control": "public, max-age=60"})
