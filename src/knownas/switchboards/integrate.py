"""Link an integration to the switchboard, change the link, or take it away."""

import re
from typing import Final

from msgspec import UNSET, Struct, UnsetType, structs

from knownas.integrations import Integration, IntegrationNotFound
from knownas.switchboards import (
    INTEGRATIONS_AT_MOST,
    NEXT,
    InvalidSwitchboard,
    SwitchboardIntegration,
    SwitchboardUpdated,
    TooManySwitchboardIntegrations,
    Wiring,
)
from knownas.switchboards.find import get_switchboard, one_of
from knownas.transaction import Transaction

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class LinkChanges(Struct, frozen=True):
    """What to change of a switchboard integration, or to make it of: `UNSET` leaves, `None` clears."""

    name: str | UnsetType = UNSET
    integration_id: str | UnsetType = UNSET
    integration_type: str | UnsetType = UNSET
    deliver_standby_events: bool | UnsetType = UNSET
    next_integration: str | None | UnsetType = UNSET
    message_history_count: int | None | UnsetType = UNSET


async def create_switchboard_integration(
    tx: Transaction, switchboard_id: str, wanted: LinkChanges
) -> SwitchboardIntegration:
    """Link an integration to the switchboard under a name of its own.

    Raises SwitchboardNotFound, SwitchboardIntegrationNotFound for an unknown next one, IntegrationNotFound,
    TooManySwitchboardIntegrations, InvalidSwitchboard. Emits switchboard.updated.
    """
    board, wiring = await get_switchboard(tx, switchboard_id)
    if len(wiring.integrations) >= INTEGRATIONS_AT_MOST:
        raise TooManySwitchboardIntegrations
    id = tx.new_id()
    name = _name(wiring, id, wanted.name)
    integration, type = await _linked(tx, wanted)
    one = SwitchboardIntegration(
        id=id,
        switchboard_id=board.id,
        name=name,
        integration_id=integration.id if integration else None,
        integration_type=type,
        deliver_standby_events=True if wanted.deliver_standby_events is UNSET else wanted.deliver_standby_events,
        next_integration=_next(wiring, id, wanted.next_integration or None),
        message_history_count=wanted.message_history_count or None,
        created_at=tx.now,
    )
    if integration is not None:
        tx.integrations.rely_on(integration)
    tx.switchboards.update(board)
    tx.switchboards.add_integration(one)
    tx.emit(SwitchboardUpdated(board.id))
    return one


async def update_switchboard_integration(
    tx: Transaction, switchboard_id: str, id: str, changes: LinkChanges
) -> SwitchboardIntegration:
    """Change what is given. Raises and emits as `create_switchboard_integration` does."""
    board, wiring = await get_switchboard(tx, switchboard_id)
    one = one_of(wiring, id)
    changed, integration = one, None
    if changes.name is not UNSET and changes.name != one.name:
        changed = structs.replace(changed, name=_name(wiring, id, changes.name))
    if changes.integration_id is not UNSET or changes.integration_type is not UNSET:
        integration, type = await _linked(tx, changes)
        changed = structs.replace(
            changed, integration_id=integration.id if integration else None, integration_type=type
        )
    if changes.deliver_standby_events is not UNSET:
        changed = structs.replace(changed, deliver_standby_events=changes.deliver_standby_events)
    if changes.next_integration is not UNSET:
        changed = structs.replace(changed, next_integration=_next(wiring, id, changes.next_integration))
    if changes.message_history_count is not UNSET:
        changed = structs.replace(changed, message_history_count=changes.message_history_count)
    if changed != one:
        if integration is not None:
            tx.integrations.rely_on(integration)
        tx.switchboards.update(board)
        tx.switchboards.update_integration(changed)
        tx.emit(SwitchboardUpdated(board.id))
    return changed


async def delete_switchboard_integration(tx: Transaction, switchboard_id: str, id: str) -> None:
    """Take the link away; conversations that it had control of go back to the default when they go on.

    Raises SwitchboardNotFound, SwitchboardIntegrationNotFound, and InvalidSwitchboard while it is the default or the
    next one of another. Emits switchboard.updated.
    """
    board, wiring = await get_switchboard(tx, switchboard_id)
    one = one_of(wiring, id)
    if board.default_integration == id:
        raise InvalidSwitchboard("The default switchboardIntegration cannot be deleted: choose another default first")
    before = next((other for other in wiring.integrations if other.next_integration == id and other.id != id), None)
    if before is not None:
        raise InvalidSwitchboard(
            f"This switchboardIntegration cannot be deleted: it is the nextSwitchboardIntegrationId of {before.name}"
        )
    tx.switchboards.update(board)
    tx.switchboards.remove_integration(one)
    tx.emit(SwitchboardUpdated(board.id))


def unlink(tx: Transaction, wiring: Wiring, integration: Integration) -> None:
    """Hold that the switchboard forgets an integration that is being deleted.

    Its places go and with them what points to them. When it was who answers first, the switchboard is switched off:
    then all integrations are told of everything, and no message is left with nobody. Emits switchboard.updated.
    """
    gone = {one.id for one in wiring.integrations if one.integration_id == integration.id}
    if wiring.board is None or not gone:
        return
    board = wiring.board
    if board.default_integration in gone:
        board = structs.replace(board, enabled=False, default_integration=None)
    tx.switchboards.update(board)
    for one in wiring.integrations:
        if one.id in gone:
            tx.switchboards.remove_integration(one)
        elif one.next_integration in gone:
            tx.switchboards.update_integration(structs.replace(one, next_integration=None))
    tx.emit(SwitchboardUpdated(board.id))


def _name(wiring: Wiring, id: str, name: str | UnsetType) -> str:
    """The name, when control can be passed to it."""
    if name is UNSET or not _NAME.fullmatch(name):
        raise InvalidSwitchboard("name should have 1 to 128 characters: letters, digits, - and _")
    if name == NEXT:
        raise InvalidSwitchboard(f"name should not be {NEXT!r}, which stands for the next switchboardIntegration")
    if any(other.name == name and other.id != id for other in wiring.integrations):
        raise InvalidSwitchboard(f"The name {name} is taken by another switchboardIntegration of this switchboard")
    return name


def _next(wiring: Wiring, id: str, next_id: str | None) -> str | None:
    """Whom control goes to by default: another one of the same switchboard, or nobody."""
    if next_id is None:
        return None
    if next_id == id:
        raise InvalidSwitchboard("nextSwitchboardIntegrationId should be another switchboardIntegration")
    return one_of(wiring, next_id).id


async def _linked(tx: Transaction, wanted: LinkChanges) -> tuple[Integration | None, str]:
    """What is linked, and its type. A type that has no integration in this app is taken at its word."""
    if (wanted.integration_id is UNSET) == (wanted.integration_type is UNSET):
        raise InvalidSwitchboard("should have exactly one of the properties 'integrationId' and 'integrationType'")
    if isinstance(wanted.integration_id, str):
        integration = await tx.integrations.by_id(wanted.integration_id)
        if integration is None:
            raise IntegrationNotFound
        if integration.type != "custom" and not integration.of_oauth_client:
            raise InvalidSwitchboard("integrationId should be the id of a custom integration")
        return integration, integration.type
    type = str(wanted.integration_type)
    found = await tx.integrations.of_type(type)
    if len(found) > 1:
        raise InvalidSwitchboard(f"This app has more than one integration of type {type}: give the integrationId")
    return (found[0] if found else None), type
