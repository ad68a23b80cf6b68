"""Stored webhooks, their secrets sealed."""

from typing import Final

import msgspec

from knownas.apps import AppSettings
from knownas.storage.unit import Row, Unit
from knownas.storage.vault import Vault
from knownas.webhooks import EVENT_WEBHOOKS_AT_MOST, WEBHOOKS_AT_MOST, Webhook, WebhookFormat
from knownas.webhooks.event_options import CallOptions, PublicKey

_COLUMNS: Final = """app_id, id, integration_id, target, triggers, include_full_user, include_full_source,
    sealed_secret, sealed_former, former_until, failing_since, disabled_at, created_at, revision,
    EXISTS (
        SELECT 1 FROM switchboard_integrations s JOIN switchboards b ON b.app_id = s.app_id AND b.id = s.switchboard_id
        WHERE s.app_id = webhooks.app_id AND s.integration_id = webhooks.integration_id
            AND s.deliver_standby_events = 0 AND b.enabled = 1
    ),
    format, sealed_options, public_keys,
    CASE WHEN format = 'fusionauth' THEN (SELECT settings FROM apps WHERE apps.id = webhooks.app_id) END"""
BY_ID: Final = f"SELECT {_COLUMNS} FROM webhooks WHERE app_id = $1 AND id = $2"  # noqa: S608
_OF_FORMAT: Final = f"SELECT {_COLUMNS} FROM webhooks WHERE app_id = $1 AND format"  # noqa: S608
OF_APP: Final = f"{_OF_FORMAT} = 'sunshine' ORDER BY id LIMIT {WEBHOOKS_AT_MOST}"
EVENT_WEBHOOKS: Final = f"{_OF_FORMAT} = 'fusionauth' ORDER BY id LIMIT {EVENT_WEBHOOKS_AT_MOST}"
PUBLIC_KEYS: Final = """
    SELECT public_keys FROM webhooks WHERE public_keys IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT $1"""
PUBLIC_KEYS_OF_APP: Final = """
    SELECT public_keys FROM webhooks WHERE app_id = $1 AND public_keys IS NOT NULL ORDER BY id DESC LIMIT $2"""
OF_INTEGRATION: Final = f"""
    SELECT {_COLUMNS} FROM webhooks WHERE app_id = $1 AND integration_id = $2
    ORDER BY id LIMIT {WEBHOOKS_AT_MOST}"""  # noqa: S608
LIVE_OF: Final = f"""
    SELECT {_COLUMNS} FROM webhooks WHERE disabled_at IS NULL AND $1 <> '' AND app_id IN """  # noqa: S608
"""Several apps' webhooks that are switched on, for delivery. `$1` is not used: a list of ids begins with `$2`."""
ANY_LIVE: Final = "SELECT 1 FROM webhooks WHERE disabled_at IS NULL LIMIT 1"

# The lowest slot that is free. Two who find the same one collide in the index; without a free one there is no row.
_INSERT: Final = """
    INSERT INTO webhooks (app_id, id, integration_id, target, triggers, include_full_user, include_full_source,
        sealed_secret, created_at, format, sealed_options, public_keys, revision, slot)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, slots.column1
    FROM (VALUES {slots}) AS slots
    WHERE slots.column1 NOT IN (SELECT slot FROM webhooks WHERE app_id = $1)
    ORDER BY slots.column1 LIMIT 1"""
_SLOTS: Final[dict[WebhookFormat, range]] = {
    "sunshine": range(WEBHOOKS_AT_MOST),
    "fusionauth": range(WEBHOOKS_AT_MOST, WEBHOOKS_AT_MOST + EVENT_WEBHOOKS_AT_MOST),
}
INSERT: Final = {
    format: _INSERT.format(slots=", ".join(f"({slot})" for slot in slots)) for format, slots in _SLOTS.items()
}
UPDATE: Final = """
    UPDATE webhooks SET target = $3, triggers = $4, include_full_user = $5, include_full_source = $6,
        sealed_secret = $7, sealed_former = $8, former_until = $9, failing_since = $10, disabled_at = $11,
        sealed_options = $12, public_keys = $13, revision = revision + 1
    WHERE app_id = $1 AND id = $2 AND revision = $14"""
DELETE: Final = "DELETE FROM webhooks WHERE app_id = $1 AND id = $2"
DELETE_OF_INTEGRATION: Final = "DELETE FROM webhooks WHERE app_id = $1 AND integration_id = $2"


_call_options: Final = msgspec.json.Decoder(CallOptions).decode
_public_keys: Final = msgspec.json.Decoder(tuple[PublicKey, ...]).decode
_settings: Final = msgspec.json.Decoder(AppSettings).decode


class WebhookRows:
    """Webhooks (knownas.webhooks.Webhooks) as rows."""

    __slots__ = ("_unit", "_vault")

    def __init__(self, unit: Unit, vault: Vault) -> None:
        self._unit = unit
        self._vault = vault

    async def by_id(self, webhook_id: str) -> Webhook | None:
        """The webhook, or None."""
        row = await self._unit.row(BY_ID, webhook_id)
        return webhook_of(row, self._vault) if row else None

    async def of_app(self) -> list[Webhook]:
        """All of the app's, oldest first."""
        return [webhook_of(row, self._vault) for row in await self._unit.rows(OF_APP)]

    async def event_webhooks(self) -> list[Webhook]:
        """Those of FusionAuth's format, oldest first."""
        return [webhook_of(row, self._vault) for row in await self._unit.rows(EVENT_WEBHOOKS)]

    async def public_keys(self, app_id: str | None, limit: int) -> list[PublicKey]:
        """What webhooks have published, the newest first."""
        if app_id is None:
            rows = await self._unit.directory_rows(PUBLIC_KEYS, limit)
        else:
            rows = await self._unit.directory_rows(PUBLIC_KEYS_OF_APP, app_id, limit)
        return [key for row in rows for key in _public_keys(row[0])]

    async def of_integration(self, integration_id: str) -> list[Webhook]:
        """The integration's, oldest first."""
        return [webhook_of(row, self._vault) for row in await self._unit.rows(OF_INTEGRATION, integration_id)]

    def add(self, webhook: Webhook) -> None:
        """Hold the new row, in a free slot."""
        self._unit.hold(
            INSERT[webhook.format], webhook.id, webhook.integration_id, webhook.target, _json(webhook.triggers),
            int(webhook.include_full_user), int(webhook.include_full_source),
            self._vault.seal(webhook.secret, webhook.id), webhook.created_at, webhook.format,
            *self._options(webhook), must=True,
        )  # fmt: skip

    def update(self, webhook: Webhook) -> None:
        """Hold the new state, guarded by the revision."""
        former = None if webhook.former_secret is None else self._vault.seal(webhook.former_secret, webhook.id)
        self._unit.hold(
            UPDATE, webhook.id, webhook.target, _json(webhook.triggers), int(webhook.include_full_user),
            int(webhook.include_full_source), self._vault.seal(webhook.secret, webhook.id), former,
            webhook.former_until, webhook.failing_since, webhook.disabled_at, *self._options(webhook),
            webhook.revision, must=True,
        )  # fmt: skip

    def remove(self, webhook: Webhook) -> None:
        """Hold the removal; loses its race when it is gone already."""
        self._unit.hold(DELETE, webhook.id, must=True)

    def remove_of_integration(self, integration_id: str) -> None:
        """Hold the removal of however many there are."""
        self._unit.hold(DELETE_OF_INTEGRATION, integration_id)

    def _options(self, webhook: Webhook) -> tuple[str | None, str | None]:
        """What only FusionAuth's format has: the options, sealed, and the keys that everybody may see."""
        call = webhook.call
        return (
            None if call is None else self._vault.seal(_json(call), _options_context(webhook.id)),
            _json(webhook.public_keys) if webhook.public_keys else None,
        )


def webhook_of(row: Row, vault: Vault) -> Webhook:
    """The webhook in _COLUMNS, its secrets opened."""
    return Webhook(
        id=row[1], app_id=row[0], integration_id=row[2], target=row[3],
        triggers=msgspec.json.decode(row[4], type=tuple[str, ...]), include_full_user=row[5] == 1,
        include_full_source=row[6] == 1, secret=vault.open(row[7], row[1]), created_at=row[12],
        former_secret=None if row[8] is None else vault.open(row[8], row[1]), former_until=row[9],
        failing_since=row[10], disabled_at=row[11], revision=row[13],
        in_control_only=bool(row[14]), format=row[15],
        call=None if row[16] is None else _call_options(vault.open(row[16], _options_context(row[1]))),
        public_keys=() if row[17] is None else _public_keys(row[17]),
        muted=() if row[18] is None else _settings(row[18]).duplicate_events.off,
    )  # fmt: skip


def _options_context(webhook_id: str) -> str:
    """Apart from the secrets', so that one sealed text cannot stand in another's place."""
    return f"{webhook_id}:options"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
