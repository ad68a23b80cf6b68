"""Put the parts together: the only place where storage, facades and settings meet."""

import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from random import SystemRandom
from typing import Any, Final

from starlette.applications import Starlette
from starlette.routing import Route

from knownas.attachments import Files
from knownas.delivery.request import Renderer, Tell
from knownas.delivery.service import delivering
from knownas.events import decode_event
from knownas.http import admin, files, jwks, oauth, pages, sdk, sunshine_v2
from knownas.http.edge import Edge
from knownas.http.fusionauth import webhook_events as fusionauth_events
from knownas.http.metrics import Metrics
from knownas.http.request_info import Places, Surroundings, load_agents, proxies_of
from knownas.http.services import Services
from knownas.http.sunshine_v2 import webhook_events as sunshine_events
from knownas.keys.verified import VerifiedTokens
from knownas.settings import InvalidSetting, Settings, load_settings
from knownas.storage.chance import now_ms
from knownas.storage.files import LocalFiles
from knownas.storage.open import open_database, sqlite_path
from knownas.upkeep.service import keeping_up
from knownas.webhooks import Told, Webhook, WebhookFormat

_TELL: Final[dict[WebhookFormat, Tell]] = {
    "sunshine": sunshine_events.told,
    "fusionauth": fusionauth_events.told,
}


def told(event: Any, webhook: Webhook) -> Told | None:
    """An event as a webhook is told of it, in the webhook's own format; None when it is not."""
    return _TELL[webhook.format](event, webhook)


RENDERER: Final = Renderer(decode_event, told)
"""What webhooks are sent."""


def open_files(settings: Settings) -> Files:
    """Where the settings say that attached files are: a bucket or a folder. Nothing is asked of it yet."""
    if settings.s3_bucket:
        from knownas.storage.files_s3 import Bucket, S3Files  # a large library, for those who use it

        return S3Files(
            Bucket(
                settings.s3_endpoint, settings.s3_region, settings.s3_bucket, settings.s3_key, settings.s3_secret,
                settings.s3_prefix,
            )
        )  # fmt: skip
    return LocalFiles(settings.attachments_folder(sqlite_path(settings.database)))


def surroundings_of(settings: Settings) -> Surroundings:
    """Whose word is taken for addresses, and where places are looked up. Raises InvalidSetting."""
    try:
        proxies = proxies_of(settings.trusted_proxies)
    except ValueError as wrong:
        raise InvalidSetting(f"Setting trusted_proxies: {wrong}") from None
    places: Places | None = None
    if settings.places_database:
        import maxminddb  # for those who use it

        try:
            places = maxminddb.open_database(settings.places_database)
        except (OSError, maxminddb.InvalidDatabaseError) as wrong:
            raise InvalidSetting(f"Setting places_database: {settings.places_database}: {wrong}") from None
    return Surroundings(proxies, places)


def create_app(settings: Settings | None = None) -> Edge:
    """The ASGI application; it opens and closes its database with its lifespan."""
    settings = settings or load_settings()
    key_file = settings.key_file(sqlite_path(settings.database))
    database = open_database(settings.database, key_file, settings.master_key)
    services = Services(
        database=database,
        tokens=VerifiedTokens(),
        metrics=Metrics(),
        clock=time.time,
        files=open_files(settings),
        public_url=settings.public_url.rstrip("/") or None,
        surroundings=surroundings_of(settings),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        await database.start()
        threading.Thread(target=load_agents, name="knownas-agents", daemon=True).start()
        try:
            async with background() if settings.background else nullcontext():
                yield {}
        finally:
            await database.close()

    @asynccontextmanager
    async def background() -> AsyncIterator[None]:
        async with (
            keeping_up(database, services.files, now_ms),
            delivering(
                database,
                RENDERER,
                now_ms,
                SystemRandom().random,
                private_too=settings.webhook_private_addresses,
                kept_days=settings.events_kept_days,
            ),
        ):
            yield

    site_pages = {**pages.PAGES, files.PATH: files.serve, "/.well-known/jwks.json": jwks.key_set}
    site = Starlette(
        routes=[Route(path, pages.served_with(services, page)) for path, page in site_pages.items()], lifespan=lifespan
    )
    return Edge(services, [sunshine_v2.FACADE, sdk.FACADE, oauth.FACADE, admin.FACADE], site)
