"""How a channel's connector moves linked clients. Knownas's own addition: paths that the vendor does not have."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from msgspec import Meta, Struct

from knownas.clients import LinkedClient, LinkError, Profile
from knownas.clients.block import block_client, unblock_client
from knownas.clients.confirm import confirm_client
from knownas.clients.find import get_client
from knownas.clients.match import match_client
from knownas.clients.remove import end_link
from knownas.http.app_scope import Forbidden
from knownas.http.call import Answer, Call, json_answer
from knownas.http.sunshine_v2 import wire
from knownas.http.sunshine_v2.scope import INTEGRATION, acting_on_app
from knownas.http.wire import Url
from knownas.keys.tokens import ServerClaims
from knownas.transaction import Transaction

Verb = Callable[..., Awaitable[LinkedClient]]


class MatchedBody(Struct, rename="camel"):
    """What the channel says about the person whom it found; without `externalId`, it calls her by her address."""

    external_id: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    display_name: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    avatar_url: Url | None = None
    info: dict[str, Any] | None = None
    raw: dict[str, Any] | None = None

    def profile(self) -> Profile:
        """The same in the noun's words."""
        return Profile(self.external_id, self.display_name, self.avatar_url, self.info, self.raw)


class EndedBody(Struct):
    """Why a link came to nothing."""

    code: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    message: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None


async def get(call: Call) -> Answer:
    """GET …/clients/{client}: the client with what its connector needs to know of the link."""
    app, caller = await acting_on_app(call, INTEGRATION)
    client, user_id = await call.services.database.read(app, _look, caller, call.params["client"])
    link = client.link
    criteria: dict[str, Any] = {
        "type": link.type,
        "integrationId": link.integration_id,
        "primary": link.primary,
        ("address" if link.type == "mailgun" else "phoneNumber"): link.address,
    }
    if link.subject is not None:
        criteria["subject"] = link.subject
    confirmation: dict[str, Any] = {"type": link.confirmation}
    if link.message is not None:
        confirmation["message"] = link.message
    return json_answer(
        {
            "client": wire.client(client),
            "userId": user_id,
            "matchCriteria": criteria,
            "confirmation": confirmation,
            "target": {"conversationId": link.conversation_id},
        }
    )


async def matched(call: Call) -> Answer:
    """POST …/clients/{client}/matched: its channel found her."""
    return await _move(call, match_client, (await call.json(MatchedBody, optional=True)).profile())


async def confirmed(call: Call) -> Answer:
    """POST …/clients/{client}/confirmed: she agreed; 409 unless it was matched."""
    return await _move(call, confirm_client)


async def blocked(call: Call) -> Answer:
    """POST …/clients/{client}/blocked: she left on this channel."""
    return await _move(call, block_client)


async def unblocked(call: Call) -> Answer:
    """POST …/clients/{client}/unblocked: she came back."""
    return await _move(call, unblock_client)


async def failed(call: Call) -> Answer:
    """POST …/clients/{client}/failed: the channel cannot reach her, and the link is gone."""
    body = await call.json(EndedBody, optional=True)
    error = LinkError(body.code or "link_failed", body.message or "The channel could not reach the user")
    return await _move(call, end_link, "linkFailed", error)


async def cancelled(call: Call) -> Answer:
    """POST …/clients/{client}/cancelled: she said no, and the link is gone."""
    body = await call.json(EndedBody, optional=True)
    error = LinkError(body.code or "link_cancelled", body.message or "The user declined the link")
    return await _move(call, end_link, "linkCancelled", error)


async def _move(call: Call, verb: Verb, *args: object) -> Answer:
    app, caller = await acting_on_app(call, INTEGRATION)
    if caller.scope == "integration":
        await call.services.database.read(app, _look, caller, call.params["client"])
    client = await call.services.database.write(app, verb, call.params["client"], *args)
    return json_answer({"client": wire.client(client)})


async def _look(tx: Transaction, caller: ServerClaims, client_id: str) -> tuple[LinkedClient, str]:
    """The client and its user's id. Raises Forbidden for a connector whose channel it is not on."""
    client, user, _ = await get_client(tx, client_id)
    if caller.scope == "integration" and caller.integration_id != client.link.integration_id:
        raise Forbidden("These credentials are for another integration than the client's")
    return client, user.id
