"""Give an app one more place where it meets its users."""

from typing import Any

from knownas.integrations import Integration, IntegrationCreated, SdkPlatform
from knownas.transaction import Transaction


async def create_integration(
    tx: Transaction, type: SdkPlatform, display_name: str | None = None, settings: dict[str, Any] | None = None
) -> Integration:
    """Add an integration of `type` to the app. Emits integration.created."""
    integration = Integration(tx.app_id, tx.new_id(), type, display_name, settings or {}, tx.now)
    tx.integrations.add(integration)
    tx.emit(IntegrationCreated(integration.id, type))
    return integration
