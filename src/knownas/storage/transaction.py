"""The transaction that verbs see, put together from the stores of the nouns."""

from functools import lru_cache
from typing import Final

from msgspec import Struct

from knownas.apps import AppSettings
from knownas.storage.accounts import AccountRows
from knownas.storage.apps import AppRows
from knownas.storage.attachments import AttachmentRows
from knownas.storage.audit import AuditRows
from knownas.storage.branches import BranchRows
from knownas.storage.clients import ClientRows
from knownas.storage.conflicts import ConflictRows
from knownas.storage.conversations import ConversationRows
from knownas.storage.deliveries import DeliveryRows
from knownas.storage.devices import DeviceRows
from knownas.storage.erasures import ErasureRows
from knownas.storage.identities import IdentityRows
from knownas.storage.integrations import IntegrationRows
from knownas.storage.keys import KeyRows
from knownas.storage.leases import LeaseRows
from knownas.storage.merges import MergeRows
from knownas.storage.messages import MessageRows
from knownas.storage.oauth import OAuthRows
from knownas.storage.outbox import OutboxRows
from knownas.storage.plans import PlanRows
from knownas.storage.resolutions import ResolutionRows
from knownas.storage.sessions import SessionRows
from knownas.storage.switchboards import SwitchboardRows
from knownas.storage.unit import Unit
from knownas.storage.users import UserRows
from knownas.storage.vault import Vault
from knownas.storage.webhooks import WebhookRows

RACES: Final = 20
"""How often a verb is run after it lost a race; the winner's rows are there to be seen each time."""

_STREAMS: Final = (("case_id", "conflicts"), ("user_id", "users"), ("conversation_id", "conversations"))
"""The members by which an event says what it is about, the first that it has, and the table that counts its events."""


@lru_cache(maxsize=256)
def _streams_of(kind: type[Struct]) -> tuple[tuple[str, str], ...]:
    """Those of _STREAMS that events of this kind have."""
    return tuple((member, table) for member, table in _STREAMS if member in kind.__struct_fields__)


class NewApp(Struct, frozen=True):
    """A Binding for an app that is not there yet."""

    id: str
    settings: AppSettings = AppSettings()


class SqlTransaction:
    """A Transaction (knownas.transaction) over one unit of work. Stores are made when they are asked for."""

    __slots__ = ("_vault", "app_id", "new_id", "now", "settings", "unit")

    def __init__(self, unit: Unit, vault: Vault) -> None:
        self.unit = unit
        self._vault = vault
        self.app_id, self.settings, self.now, self.new_id = unit.app_id, unit.settings, unit.now, unit.new_id

    @property
    def accounts(self) -> AccountRows:
        return AccountRows(self.unit)

    @property
    def apps(self) -> AppRows:
        return AppRows(self.unit)

    @property
    def keys(self) -> KeyRows:
        return KeyRows(self.unit, self._vault)

    @property
    def integrations(self) -> IntegrationRows:
        return IntegrationRows(self.unit, self._vault)

    @property
    def users(self) -> UserRows:
        return UserRows(self.unit)

    @property
    def identities(self) -> IdentityRows:
        return IdentityRows(self.unit)

    @property
    def sessions(self) -> SessionRows:
        return SessionRows(self.unit)

    @property
    def devices(self) -> DeviceRows:
        return DeviceRows(self.unit)

    @property
    def clients(self) -> ClientRows:
        return ClientRows(self.unit)

    @property
    def conflicts(self) -> ConflictRows:
        return ConflictRows(self.unit)

    @property
    def resolutions(self) -> ResolutionRows:
        return ResolutionRows(self.unit)

    @property
    def plans(self) -> PlanRows:
        return PlanRows(self.unit)

    @property
    def audit(self) -> AuditRows:
        return AuditRows(self.unit)

    @property
    def erasures(self) -> ErasureRows:
        return ErasureRows(self.unit)

    @property
    def leases(self) -> LeaseRows:
        return LeaseRows(self.unit)

    @property
    def merges(self) -> MergeRows:
        return MergeRows(self.unit)

    @property
    def oauth(self) -> OAuthRows:
        return OAuthRows(self.unit)

    @property
    def conversations(self) -> ConversationRows:
        return ConversationRows(self.unit)

    @property
    def branches(self) -> BranchRows:
        return BranchRows(self.unit)

    @property
    def messages(self) -> MessageRows:
        return MessageRows(self.unit)

    @property
    def switchboards(self) -> SwitchboardRows:
        return SwitchboardRows(self.unit)

    @property
    def attachments(self) -> AttachmentRows:
        return AttachmentRows(self.unit)

    @property
    def webhooks(self) -> WebhookRows:
        return WebhookRows(self.unit, self._vault)

    @property
    def outbox(self) -> OutboxRows:
        return OutboxRows(self.unit)

    @property
    def deliveries(self) -> DeliveryRows:
        return DeliveryRows(self.unit, self._vault)

    def new_secret(self) -> str:
        """A fresh secret of 256 bits."""
        return self.unit.randomness.secret()

    def emit(self, event: Struct) -> None:
        """Hold the event for the outbox, in the stream of what it is about."""
        unit = self.unit
        stream = unit.app_id
        for member, table in _streams_of(type(event)):
            found = getattr(event, member)
            if found:
                stream = found
                if table != "users":
                    unit.tables[stream] = table
                break
        told = unit.events.get(stream)
        if told is None:
            unit.events[stream] = [event]
        else:
            told.append(event)


def refuse_writes(tx: SqlTransaction) -> None:
    """Fail loudly where a verb that writes was run as one that reads."""
    if tx.unit.wrote:
        raise RuntimeError("a verb that writes was run with read(): nothing of it would be kept")
