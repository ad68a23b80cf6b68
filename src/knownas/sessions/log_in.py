"""Exchange a token that the business signed for access as that user (R3, R6)."""

from collections.abc import Callable

from msgspec import structs

from knownas.conflicts import RequestInfo
from knownas.devices import Device, DeviceInfo
from knownas.devices.attach import attach
from knownas.identities import Attach, Contest, Holder, Identity, IdentityAttached, IdentityTakenOver, TakeOver, decide
from knownas.identities.normalise import normalise
from knownas.keys.tokens import UserClaims
from knownas.merges.absorb import absorb, meet
from knownas.sessions import Access, AnonymousProof, Situation, UserAuthenticated
from knownas.sessions.contested import Contested, contested_email, follow_policy
from knownas.sessions.profile import stated_profile
from knownas.transaction import Transaction
from knownas.users import User, UserChanges
from knownas.users.create import new_user, own_external_id
from knownas.users.update import apply, identify

EmailDecision = Attach | TakeOver | Contested | None


async def log_in(
    tx: Transaction,
    claims: UserClaims,
    info: DeviceInfo | None,
    proof: AnonymousProof | None,
    profile: UserChanges | None = None,
    request: Callable[[], RequestInfo] = RequestInfo,
) -> Access:
    """Sign the device in as the user whom verified `claims` name; first sight creates the user.

    The external id alone says who this is. `proof` shows an anonymous user on this device: her history comes along,
    by promotion in place when the external id is new, by merge when it is not. `profile` is what the visitor typed
    before; the token's own name and e-mail win over it. `request` says what is known of the request, if it is asked.

    Raises EmailContested under the policy `reject`; the case it opened is kept, nothing else is.
    Emits user.created, user.identified or users.merged, user.updated, identity.attached, identity.contested,
    device.signed_in, user.authenticated, each at most once and only for what really changed.
    """
    email_key = normalise("email", claims.verified_email) if claims.verified_email else None
    found = await tx.sessions.situation(claims.external_id, email_key, info.guid if info else None, proof)
    visitor = found.visitor
    email = await _decide_email(tx, claims, email_key, found, info, request) if email_key is not None else None
    former = await _former_owner(tx, found, found.device) if found.device else None
    devices, meeting = found.devices, None
    if visitor is not None:
        meeting = await meet(tx, found.known, visitor) if found.known else None
        devices = [*devices, *await tx.devices.of_users(await tx.users.members(visitor))]

    changes = stated_profile(claims, profile or UserChanges())
    known = found.known
    if known is not None and (visitor or not known.authenticated or (info and not devices)):
        known = await _whole(tx, known)
    authenticates = visitor is not None if known is None else not known.authenticated
    if known is not None:
        tx.users.rely_on(known)
        user = known if known.authenticated else _authenticate(tx, known)
        user = absorb(tx, user, visitor, "login", meeting) if visitor else user
        user = apply(tx, user, changes)
    elif visitor is not None:
        user = identify(tx, visitor, claims.external_id, claims.key_id, authenticated=True)
        user = apply(tx, user, changes)
    else:
        user = new_user(tx, claims.external_id, "login", changes, authenticated=True)
        own_external_id(tx, user.id, claims.external_id, claims.key_id, signed=True)

    if isinstance(email, Contested):
        user = follow_policy(tx, email, user)
    elif email is not None and email_key is not None:
        if not all(holder.owned for holder in found.holders):
            tx.identities.drop_claims("email", email_key)
        user = _give_email(tx, user, email, email_key, claims)
    device = None
    if info is not None:
        if former is not None and former.id in (user.id, visitor.id if visitor else None):
            former = None
        device = attach(tx, user, info, found.device, former, first=not devices)
        devices = [device, *[other for other in devices if other.guid != device.guid]]
    if authenticates:
        tx.emit(UserAuthenticated(user.id, user, device))
    return Access(user, devices, created=found.known is None and visitor is None)


async def _decide_email(
    tx: Transaction,
    claims: UserClaims,
    key: str,
    found: Situation,
    device: DeviceInfo | None,
    request: Callable[[], RequestInfo],
) -> EmailDecision:
    """What happens to the token's verified e-mail. Raises EmailContested where a contested one is refused (R7)."""
    claimant, holders = found.known or found.visitor, found.holders
    if claimant is not None:
        # A visitor who is about to become one with the claimant does not contend with her.
        own = {user.id for user in (found.known, found.visitor) if user}
        holders = [Holder(claimant.id, holder.owned) if holder.user_id in own else holder for holder in holders]
    decision = decide(claimant.id if claimant else None, holders)
    if isinstance(decision, Contest):
        return await contested_email(tx, decision, claims, key, found, device, request())
    return decision if isinstance(decision, Attach | TakeOver) else None


async def _former_owner(tx: Transaction, found: Situation, device: Device) -> User | None:
    """The user whom the device belonged to until now, when that was not the one who logs in."""
    if found.known is not None and device.user_id == found.known.id:
        return None
    if found.visitor is not None and device.user_id == found.visitor.id:
        return found.visitor
    return await tx.users.by_id(device.user_id)


async def _whole(tx: Transaction, known: User) -> User:
    """The user with her identities, which the one question leaves out, for the events that tell of her as a whole.

    She is still relied on as the question found her.
    """
    found = await tx.users.by_id(known.id)
    return structs.replace(known, identities=found.identities) if found else known


def _authenticate(tx: Transaction, user: User) -> User:
    """Note that a user whom the server API made has now come with a token of her own."""
    tx.users.change(user, authenticated=True)
    return structs.replace(user, authenticated=True)


def _give_email(tx: Transaction, user: User, decision: Attach | TakeOver, key: str, claims: UserClaims) -> User:
    """Hold the verified e-mail as this user's, and tell of those who lost a mere claim to it (R2)."""
    if isinstance(decision, TakeOver):
        tx.emit(IdentityTakenOver(user.id, decision.former, "email"))
    identity = Identity(
        user.id,
        "email",
        claims.verified_email or "",
        key,
        owned=True,
        verification="sso",
        asserted_by=claims.key_id,
        created_at=tx.now,
    )
    tx.identities.add(identity)
    tx.emit(IdentityAttached(user.id, "email", "sso"))
    return structs.replace(user, identities=(*user.identities, identity))
