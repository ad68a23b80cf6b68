"""Start as an anonymous user: nobody knows who this is, and the session token is the only way back (R4)."""

from knownas.devices import DeviceInfo
from knownas.devices.attach import attach
from knownas.sessions import Access, Session
from knownas.sessions.tokens import hash_of
from knownas.transaction import Transaction
from knownas.users import UserChanges
from knownas.users.create import new_user


async def start_anonymous(tx: Transaction, profile: UserChanges, info: DeviceInfo | None) -> Access:
    """A new anonymous user on this device, with a fresh session token that is shown once and stored as a hash.

    The device belongs to her from now on; whoever had it before is signed out on it.
    Emits user.created and device.signed_in.
    """
    device = await tx.devices.by_guid(info.guid) if info else None
    former = await tx.users.by_id(device.user_id) if device else None
    user = new_user(tx, None, "sdk", profile, authenticated=False)
    token = tx.new_secret()
    tx.sessions.add(Session(hash_of(token), user.id, info.guid if info else None, tx.now))
    devices = [attach(tx, user, info, device, former, first=True)] if info else []
    return Access(user, devices, token, created=True)
