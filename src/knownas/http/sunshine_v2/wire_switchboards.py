"""Switchboards, their integrations and control as this API spells them (spec/sunshine-v2.yaml)."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from knownas.http.wire import Metadata
from knownas.switchboards import Switchboard, SwitchboardIntegration
from knownas.switchboards.integrate import LinkChanges

Reference = Annotated[str, Meta(min_length=1, max_length=128)]


class SwitchboardUpdateBody(Struct, rename="camel"):
    """`switchboardUpdateBody`; a null default is accepted while the switchboard is not enabled."""

    enabled: bool | UnsetType = UNSET
    default_switchboard_integration_id: Reference | None | UnsetType = UNSET


class LinkBody(Struct, rename="camel"):
    """`switchboardIntegrationCreateBody` and `switchboardIntegrationUpdateBody`."""

    name: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET
    integration_id: Reference | UnsetType = UNSET
    integration_type: Reference | UnsetType = UNSET
    deliver_standby_events: bool | UnsetType = UNSET
    next_switchboard_integration_id: Reference | None | UnsetType = UNSET
    message_history_count: Annotated[int, Meta(ge=1, le=10)] | None | UnsetType = UNSET

    def changes(self) -> LinkChanges:
        """What the body says of the link."""
        return LinkChanges(
            self.name,
            self.integration_id,
            self.integration_type,
            self.deliver_standby_events,
            self.next_switchboard_integration_id,
            self.message_history_count,
        )


class LinkCreateBody(LinkBody, rename="camel", kw_only=True):
    """The same, with a name."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]


class TargetBody(Struct, rename="camel"):
    """`passControlBody` and `offerControlBody`."""

    switchboard_integration: Reference
    metadata: Metadata | None = None


class MetadataBody(Struct, rename="camel"):
    """`acceptControlBody` and `releaseControlBody`."""

    metadata: Metadata | None = None


def switchboard(board: Switchboard) -> dict[str, Any]:
    """`switchboard`; without a default, the field is absent."""
    body: dict[str, Any] = {"id": board.id, "enabled": board.enabled}
    if board.default_integration is not None:
        body["defaultSwitchboardIntegrationId"] = board.default_integration
    return body


def switchboard_integration(one: SwitchboardIntegration) -> dict[str, Any]:
    """`switchboardIntegration`. A type without an integration here has its own id where the schema demands one."""
    body: dict[str, Any] = {
        "id": one.id,
        "name": one.name,
        "integrationId": one.integration_id or one.id,
        "integrationType": one.integration_type,
        "deliverStandbyEvents": one.deliver_standby_events,
    }
    return body | _optional(one)


def responder(one: SwitchboardIntegration, *, inherited: bool) -> dict[str, Any]:
    """`defaultResponder` of an integration."""
    body: dict[str, Any] = {
        "name": one.name,
        "integrationType": one.integration_type,
        "deliverStandbyEvents": one.deliver_standby_events,
        "inherited": inherited,
    }
    if one.integration_id is not None:
        body["integrationId"] = one.integration_id
    return body | _optional(one)


def _optional(one: SwitchboardIntegration) -> dict[str, Any]:
    optional = {
        "nextSwitchboardIntegrationId": one.next_integration,
        "messageHistoryCount": one.message_history_count,
    }
    return {name: value for name, value in optional.items() if value is not None}
