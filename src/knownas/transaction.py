"""What a verb works with: one attribute per noun's store, the time, new ids, and a place for its events.

A transaction is bound to one app, so no query can forget which. Verbs find and decide first and write last: stores
hold writes and send them when the verb returns, together with its events, in one database transaction. Reading after
the first write is therefore an error (docs/decisions/0002-decide-first-write-last.md).
"""

from typing import Protocol

from msgspec import Struct

from knownas.accounts import Accounts
from knownas.apps import Apps, AppSettings
from knownas.attachments import Attachments
from knownas.audit import Audit
from knownas.clients import Clients
from knownas.conflicts import Conflicts
from knownas.conversations import Conversations
from knownas.conversations.branches import Branches
from knownas.deliveries import Deliveries, Outbox
from knownas.devices import Devices
from knownas.erasures import Erasures
from knownas.identities import Identities
from knownas.integrations import Integrations
from knownas.keys import Keys
from knownas.leases import Leases
from knownas.merges import Merges
from knownas.messages import Messages
from knownas.oauth import OAuth
from knownas.plans import Plans
from knownas.resolutions import Resolutions
from knownas.sessions import Sessions
from knownas.switchboards import Switchboards
from knownas.users import Users
from knownas.webhooks import Webhooks


class Transaction(Protocol):
    """One unit of work in one app."""

    @property
    def app_id(self) -> str:
        """The app that everything in this transaction belongs to."""
        ...

    @property
    def settings(self) -> AppSettings:
        """What the app chose, as of at most a second ago."""
        ...

    @property
    def now(self) -> int:
        """The time of this transaction, in milliseconds since 1970."""
        ...

    @property
    def accounts(self) -> Accounts: ...
    @property
    def apps(self) -> Apps: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def integrations(self) -> Integrations: ...
    @property
    def users(self) -> Users: ...
    @property
    def identities(self) -> Identities: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def devices(self) -> Devices: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def conflicts(self) -> Conflicts: ...
    @property
    def resolutions(self) -> Resolutions: ...
    @property
    def plans(self) -> Plans: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def erasures(self) -> Erasures: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def merges(self) -> Merges: ...
    @property
    def oauth(self) -> OAuth: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def branches(self) -> Branches: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def switchboards(self) -> Switchboards: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def attachments(self) -> Attachments: ...

    def new_id(self) -> str:
        """A fresh id (ids.py)."""
        ...

    def new_secret(self) -> str:
        """A fresh secret of 256 random bits, URL-safe text of 43 characters."""
        ...

    def emit(self, event: Struct) -> None:
        """Tell the world, once and only if this transaction commits (R11).

        An event with a `case_id` is numbered in that conflict's sequence, else one with a `user_id` in that user's,
        else one with a `conversation_id` in that conversation's, any other in the app's.
        """
        ...
