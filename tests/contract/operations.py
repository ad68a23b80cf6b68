"""The 68 operations of the vendor's description of its API v2 in its order, and who may call each of them.

`scopes` are letters: C an account's key, A an app's, I an integration's. Empty: the operation asks for no credentials,
or takes those of anybody. Source: spec/sunshine-v2.yaml; `test_operations.py` compares the two.
"""

from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.servers import ROOT

SPEC: Final[Path] = ROOT.parent / "shared" / "spec" / "sunshine-v2.yaml"
NO_SPEC: Final = (
    "the vendor's description is not here: it lies beside the repository, in ../shared/spec/sunshine-v2.yaml"
)


class Operation(Struct, frozen=True):
    """One row of the table."""

    id: str
    method: str
    path: str
    scopes: str
    ok: int

    def at(self, **given: str) -> str:
        """The path with these parameters; for those that are not given, an id that nothing has."""
        path = self.path
        while "{" in path:
            before, _, rest = path.partition("{")
            name, _, after = rest.partition("}")
            path = before + given.get(name, NOTHING) + after
        return path


NOTHING: Final = "000000000000000000000000"

NOT_IMPLEMENTED: Final = {
    "DownloadMessageRef": "references come from a channel of a third party, which is not connected",
    "PostConversionEvents": "events go to a channel of a third party, which is not connected",
}
"""What answers 501 by design, and nothing else does."""

OPERATIONS: Final = (
    Operation("CreateApp", "POST", "/v2/apps", "C", 201),
    Operation("ListApps", "GET", "/v2/apps", "C", 200),
    Operation("GetApp", "GET", "/v2/apps/{appId}", "CA", 200),
    Operation("UpdateApp", "PATCH", "/v2/apps/{appId}", "CA", 200),
    Operation("DeleteApp", "DELETE", "/v2/apps/{appId}", "C", 200),
    Operation("CreateAppKey", "POST", "/v2/apps/{appId}/keys", "C", 201),
    Operation("ListAppKeys", "GET", "/v2/apps/{appId}/keys", "C", 200),
    Operation("GetAppKey", "GET", "/v2/apps/{appId}/keys/{keyId}", "C", 200),
    Operation("DeleteAppKey", "DELETE", "/v2/apps/{appId}/keys/{keyId}", "C", 200),
    Operation("UploadAttachment", "POST", "/v2/apps/{appId}/attachments", "CAI", 201),
    Operation("DeleteAttachment", "POST", "/v2/apps/{appId}/attachments/remove", "CAI", 200),
    Operation("CreateConversation", "POST", "/v2/apps/{appId}/conversations", "CAI", 201),
    Operation("ListConversations", "GET", "/v2/apps/{appId}/conversations", "CAI", 200),
    Operation("GetConversation", "GET", "/v2/apps/{appId}/conversations/{conversationId}", "CAI", 200),
    Operation("UpdateConversation", "PATCH", "/v2/apps/{appId}/conversations/{conversationId}", "CAI", 200),
    Operation("DeleteConversation", "DELETE", "/v2/apps/{appId}/conversations/{conversationId}", "CAI", 200),
    Operation("JoinConversation", "POST", "/v2/apps/{appId}/conversations/{conversationId}/join", "CAI", 201),
    Operation("ListParticipants", "GET", "/v2/apps/{appId}/conversations/{conversationId}/participants", "CAI", 200),
    Operation("LeaveConversation", "POST", "/v2/apps/{appId}/conversations/{conversationId}/leave", "CAI", 200),
    Operation("PostMessage", "POST", "/v2/apps/{appId}/conversations/{conversationId}/messages", "CAI", 201),
    Operation("ListMessages", "GET", "/v2/apps/{appId}/conversations/{conversationId}/messages", "CAI", 200),
    Operation("DeleteAllMessages", "DELETE", "/v2/apps/{appId}/conversations/{conversationId}/messages", "CAI", 200),
    Operation(
        "DeleteMessage", "DELETE", "/v2/apps/{appId}/conversations/{conversationId}/messages/{messageId}", "CAI", 200
    ),
    Operation("PostActivity", "POST", "/v2/apps/{appId}/conversations/{conversationId}/activity", "CAI", 200),
    Operation("PassControl", "POST", "/v2/apps/{appId}/conversations/{conversationId}/passControl", "CAI", 200),
    Operation("ReleaseControl", "POST", "/v2/apps/{appId}/conversations/{conversationId}/releaseControl", "CAI", 200),
    Operation("OfferControl", "POST", "/v2/apps/{appId}/conversations/{conversationId}/offerControl", "CAI", 200),
    Operation("AcceptControl", "POST", "/v2/apps/{appId}/conversations/{conversationId}/acceptControl", "CAI", 200),
    Operation("DownloadMessageRef", "POST", "/v2/apps/{appId}/conversations/{conversationId}/download", "CAI", 200),
    Operation(
        "PostConversionEvents", "POST", "/v2/apps/{appId}/conversations/{conversationId}/conversionEvents", "CAI", 200
    ),
    Operation("CreateIntegration", "POST", "/v2/apps/{appId}/integrations", "CA", 201),
    Operation("ListIntegrations", "GET", "/v2/apps/{appId}/integrations", "CA", 200),
    Operation("GetIntegration", "GET", "/v2/apps/{appId}/integrations/{integrationId}", "CA", 200),
    Operation("UpdateIntegration", "PATCH", "/v2/apps/{appId}/integrations/{integrationId}", "CA", 200),
    Operation("DeleteIntegration", "DELETE", "/v2/apps/{appId}/integrations/{integrationId}", "CA", 200),
    Operation("CreateCustomIntegrationKey", "POST", "/v2/apps/{appId}/integrations/{integrationId}/keys", "CA", 201),
    Operation("ListCustomIntegrationKeys", "GET", "/v2/apps/{appId}/integrations/{integrationId}/keys", "CA", 200),
    Operation(
        "GetCustomIntegrationKey", "GET", "/v2/apps/{appId}/integrations/{integrationId}/keys/{keyId}", "CA", 200
    ),
    Operation(
        "DeleteCustomIntegrationKey", "DELETE", "/v2/apps/{appId}/integrations/{integrationId}/keys/{keyId}", "CA", 200
    ),
    Operation("CreateWebhook", "POST", "/v2/apps/{appId}/integrations/{integrationId}/webhooks", "AI", 201),
    Operation("ListWebhooks", "GET", "/v2/apps/{appId}/integrations/{integrationId}/webhooks", "AI", 200),
    Operation("GetWebhook", "GET", "/v2/apps/{appId}/integrations/{integrationId}/webhooks/{webhookId}", "AI", 200),
    Operation(
        "UpdateWebhook", "PATCH", "/v2/apps/{appId}/integrations/{integrationId}/webhooks/{webhookId}", "AI", 200
    ),
    Operation(
        "DeleteWebhook", "DELETE", "/v2/apps/{appId}/integrations/{integrationId}/webhooks/{webhookId}", "AI", 200
    ),
    Operation("CreateSwitchboard", "POST", "/v2/apps/{appId}/switchboards", "CA", 201),
    Operation("ListSwitchboards", "GET", "/v2/apps/{appId}/switchboards", "CA", 200),
    Operation("UpdateSwitchboard", "PATCH", "/v2/apps/{appId}/switchboards/{switchboardId}", "CA", 200),
    Operation("DeleteSwitchboard", "DELETE", "/v2/apps/{appId}/switchboards/{switchboardId}", "CA", 200),
    Operation(
        "CreateSwitchboardIntegration",
        "POST",
        "/v2/apps/{appId}/switchboards/{switchboardId}/switchboardIntegrations",
        "CA",
        201,
    ),
    Operation(
        "ListSwitchboardIntegrations",
        "GET",
        "/v2/apps/{appId}/switchboards/{switchboardId}/switchboardIntegrations",
        "CA",
        200,
    ),
    Operation(
        "UpdateSwitchboardIntegration",
        "PATCH",
        "/v2/apps/{appId}/switchboards/{switchboardId}/switchboardIntegrations/{switchboardIntegrationId}",
        "CA",
        200,
    ),
    Operation(
        "DeleteSwitchboardIntegration",
        "DELETE",
        "/v2/apps/{appId}/switchboards/{switchboardId}/switchboardIntegrations/{switchboardIntegrationId}",
        "CA",
        200,
    ),
    Operation("CreateUser", "POST", "/v2/apps/{appId}/users", "CAI", 201),
    Operation("ListUsers", "GET", "/v2/apps/{appId}/users", "CAI", 200),
    Operation("GetUser", "GET", "/v2/apps/{appId}/users/{userIdOrExternalId}", "CAI", 200),
    Operation("UpdateUser", "PATCH", "/v2/apps/{appId}/users/{userIdOrExternalId}", "CAI", 200),
    Operation("DeleteUser", "DELETE", "/v2/apps/{appId}/users/{userIdOrExternalId}", "CAI", 200),
    Operation("CreateClient", "POST", "/v2/apps/{appId}/users/{userIdOrExternalId}/clients", "CAI", 201),
    Operation("ListClients", "GET", "/v2/apps/{appId}/users/{userIdOrExternalId}/clients", "CAI", 200),
    Operation("RemoveClient", "DELETE", "/v2/apps/{appId}/users/{userIdOrExternalId}/clients/{clientId}", "CAI", 200),
    Operation("ListDevices", "GET", "/v2/apps/{appId}/users/{userIdOrExternalId}/devices", "CAI", 200),
    Operation("GetDevice", "GET", "/v2/apps/{appId}/users/{userIdOrExternalId}/devices/{deviceId}", "CAI", 200),
    Operation(
        "DeleteUserPersonalInformation",
        "DELETE",
        "/v2/apps/{appId}/users/{userIdOrExternalId}/personalinformation",
        "CAI",
        200,
    ),
    Operation("SyncUser", "POST", "/v2/apps/{appId}/users/{zendeskId}/sync", "CAI", 200),
    Operation("GetTokenInfo", "GET", "/v2/tokenInfo", "", 200),
    Operation("Authorize", "GET", "/oauth/authorize", "", 302),
    Operation("GetToken", "POST", "/oauth/token", "", 200),
    Operation("RevokeAccess", "DELETE", "/oauth/authorization", "I", 200),
)
