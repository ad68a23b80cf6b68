"""What all SDK endpoints begin with: the app in the path, and the device that calls."""

from knownas.apps import App, AppNotFound
from knownas.devices import DeviceInfo
from knownas.http.call import Call
from knownas.http.decode import InvalidBody
from knownas.http.sdk.wire import ClientBody


async def app_of(call: Call) -> App:
    """The app in the path. Raises AppNotFound."""
    app = await call.services.database.directory.app(call.params["app"])
    if app is None:
        raise AppNotFound
    return app


async def device_of(call: Call, app: App, client: ClientBody | None) -> DeviceInfo | None:
    """The calling device, if it says which. Raises InvalidBody when it names an integration of another app."""
    if client is None:
        return None
    if client.integration_id is not None:
        integration = await call.services.database.directory.integration(client.integration_id)
        if integration is None or integration.app_id != app.id:
            raise InvalidBody("client.integrationId is not an integration of this app")
    return client.device()
