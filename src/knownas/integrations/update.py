"""Change an integration's name and options."""

from typing import Any

from msgspec import UNSET, UnsetType, structs

from knownas.integrations import Integration, IntegrationUpdated, InvalidIntegration
from knownas.integrations.create import check_responder
from knownas.integrations.find import Described, describe, find_integration
from knownas.integrations.kinds import KINDS, OTHER, with_defaults, without_nulls
from knownas.transaction import Transaction
from knownas.users.update import same


async def update_integration(
    tx: Transaction,
    integration_id: str,
    display_name: str | None | UnsetType = UNSET,
    given: dict[str, Any] | None = None,
) -> Described:
    """Change what is given and keep the rest; None clears, and then the default counts again.

    Raises IntegrationNotFound, and InvalidIntegration for what cannot be changed in an integration of its type.
    Emits integration.updated when anything changed.
    """
    integration = await find_integration(tx, integration_id)
    webhooks = await tx.webhooks.of_integration(integration.id)
    wiring = await tx.switchboards.wiring()
    options = changed_options(integration, given or {})
    if options.get("defaultResponderId") != integration.settings.get("defaultResponderId"):
        check_responder(wiring, options.get("defaultResponderId"))
    sealed = KINDS.get(integration.type, OTHER).sealed
    changed = structs.replace(
        integration,
        display_name=integration.display_name if display_name is UNSET else display_name,
        settings={name: value for name, value in options.items() if name not in sealed},
        credentials={name: value for name, value in options.items() if name in sealed},
    )
    fields = _fields(integration, changed)
    if fields:
        tx.integrations.update(changed)
        tx.emit(IntegrationUpdated(integration.id, fields))
    return describe(changed, webhooks, wiring)


def changed_options(integration: Integration, given: dict[str, Any]) -> dict[str, Any]:
    """All options of the integration, secrets included, after a change. Raises InvalidIntegration. Pure."""
    kind = KINDS.get(integration.type, OTHER)
    options = {**integration.settings, **integration.credentials}
    for name, value in given.items():
        now = with_defaults(kind.defaults, options).get(name)
        if isinstance(value, dict):
            value = without_nulls({**(now or {}), **value})
        if same(value, now):
            continue  # what was read may be sent back as it is
        if kind.changeable is not None and name not in kind.changeable:
            raise InvalidIntegration(
                f"{name} cannot be changed in an integration of type {integration.type}: "
                "delete it and create it anew with the new value"
            )
        if value is None and name in kind.required:
            raise InvalidIntegration(f"{name} cannot be cleared: an integration of this type needs it")
        options[name] = value
    return without_nulls(options)


def _fields(before: Integration, after: Integration) -> tuple[str, ...]:
    """The names of what differs."""
    was, now = {**before.settings, **before.credentials}, {**after.settings, **after.credentials}
    names = [name for name in {**was, **now} if (name in was) != (name in now) or not same(was[name], now[name])]
    if before.display_name != after.display_name:
        names.append("displayName")
    return tuple(names)
