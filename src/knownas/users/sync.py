"""Bring a user in line with what Zendesk Support, or whatever keeps a business's people, says of her.

No such record lies behind this server, so what it says comes along with the call
(docs/decisions/0010-links-brands-and-oauth.md).
"""

from msgspec import UNSET, Struct, UnsetType, structs

from knownas.errors import DomainError
from knownas.identities import Identity, IdentityAttached, IdentityTakenOver
from knownas.identities.brands import branded
from knownas.merges.absorb import absorb, meet
from knownas.transaction import Transaction
from knownas.users import User, UserChanges, UserIdentified, UserNotFound, UserUpdated
from knownas.users.create import own_external_id
from knownas.users.update import apply


class CoreRecord(Struct, frozen=True):
    """What the record says; what is `UNSET` or None is left as it is. `user_id` names whom it is about at first."""

    zendesk_id: str
    surviving_zendesk_id: str | None = None
    user_id: str | None = None
    external_id: str | None = None
    email: str | None = None
    given_name: str | None | UnsetType = UNSET
    surname: str | None | UnsetType = UNSET


class SyncConflict(DomainError):
    """The record cannot be applied to the users that there are; the text says what to do."""

    kind = "conflict"
    code = "conflict"


class Parties(Struct, frozen=True):
    """Who is concerned: the `subject` of the record, who becomes one with her, and who has what becomes hers."""

    subject: User
    merged: User | None
    external_id_owner: User | None
    email_owner: User | None
    email_claimants: tuple[str, ...]
    linked: bool = True
    """Whether the Zendesk id that is to show is somebody's already, and then the subject's."""


async def sync_user(tx: Transaction, record: CoreRecord, asserted_by: str) -> User:
    """The user with the external id, e-mail identity and name that the record has, linked by its `zendesk_id`.

    Another user who has the external id or the e-mail becomes one with her, unless Zendesk knows that user as well:
    then the external id or the e-mail moves. With `surviving_zendesk_id` the users of both records become one.

    Raises UserNotFound, InvalidIdentity, SyncConflict. Emits users.merged, user.identified, user.updated,
    identity.attached, identity.taken_over.
    """
    parties = await _parties(tx, record)
    user, gone = survivor_of(parties)
    meeting = await meet(tx, user, gone) if gone else None
    members = await tx.users.members(user)
    loser = parties.external_id_owner
    losers_members = await tx.users.members(loser) if loser else []

    tx.users.rely_on(user)
    identities = user.identities + (gone.identities if gone else ())
    user = absorb(tx, user, gone, "api", meeting) if gone else user
    zendesk_id = record.surviving_zendesk_id or record.zendesk_id
    if not parties.linked:
        tx.users.link_zendesk(user, zendesk_id)
    elif user.zendesk_id != zendesk_id:
        tx.users.change(user, zendesk_id=zendesk_id)
    user = structs.replace(user, zendesk_id=zendesk_id, identities=identities)
    user = apply(tx, user, UserChanges(given_name=record.given_name, surname=record.surname))
    if record.email is not None:
        user = _give_email(tx, user, gone, parties, record.email, asserted_by)
    if record.external_id is not None and user.external_id != record.external_id:
        user = _give_external_id(tx, user, members, loser, losers_members, record.external_id, asserted_by)
    return user


def survivor_of(parties: Parties) -> tuple[User, User | None]:
    """Who of the two stays, and who becomes one with her. Pure.

    Who has the external id of the record stays, so that it need not move; else an identified user before an anonymous
    one, whose session would outlive it (R4); else the subject.
    """
    subject, other = parties.subject, parties.merged
    if other is None:
        return subject, None
    owner = parties.external_id_owner
    if owner is not None and owner.id in (subject.id, other.id):
        stays = owner
    else:
        stays = other if subject.anonymous and not other.anonymous else subject
    return (other, subject) if stays.id == other.id else (subject, other)


async def _parties(tx: Transaction, record: CoreRecord) -> Parties:
    subject, merged, linked = await _subject(tx, record)
    brand_id = subject.brand_id
    owner = await tx.users.by_external_id(record.external_id, brand_id) if record.external_id else None
    email_owner, claimants = await _email_holders(tx, record.email, brand_id) if record.email else (None, ())
    merging = {user.id: user for user in (merged,) if user}
    for other in (owner, email_owner):
        if other is not None and other.id != subject.id and other.zendesk_id is None:
            merging[other.id] = other
    if len(merging) > 1:
        raise SyncConflict(
            "This call would merge more than two users at once. Synchronize in steps: first the users' merge, then the"
            " externalId, then the email"
        )
    merged = next(iter(merging.values()), None)
    if merged is not None and merged.brand_id != brand_id:
        raise SyncConflict("The two users belong to different brands, and users of different brands are not merged")
    return Parties(subject, merged, owner, email_owner, claimants, linked)


async def _subject(tx: Transaction, record: CoreRecord) -> tuple[User, User | None, bool]:
    """Whom the record is about, who is to become one with her because the two records did, and `Parties.linked`."""
    user = await tx.users.by_zendesk_id(record.zendesk_id)
    renamed = record.surviving_zendesk_id is not None and record.surviving_zendesk_id != record.zendesk_id
    if record.surviving_zendesk_id is not None and renamed:
        surviving = await tx.users.by_zendesk_id(record.surviving_zendesk_id)
        if surviving is not None:
            return surviving, user if user is not None and user.id != surviving.id else None, True
    named = await tx.users.by_id(record.user_id) if record.user_id else None
    if record.user_id is not None and named is None:
        raise UserNotFound
    if user is not None and named is not None and named.id != user.id:
        raise SyncConflict("The zendeskId is linked to another user than userId names")
    if user is None and named is None and record.external_id is not None:
        named = await tx.users.by_external_id(record.external_id)
    if user is None and named is None and record.email is not None:
        named, _ = await _email_holders(tx, record.email, None)
    found = user or named
    if found is None:
        raise UserNotFound
    if user is None and found.zendesk_id is not None:
        raise SyncConflict("The user is linked to another zendeskId already")
    return found, None, user is not None and not renamed


async def _email_holders(tx: Transaction, email: str, brand_id: str | None) -> tuple[User | None, tuple[str, ...]]:
    """Who owns the e-mail, and who merely claims it (R2). Raises InvalidIdentity."""
    key = branded("email", email, brand_id)
    found = await tx.users.by_email(key)
    owners = [user for user in found if any(one.type == "email" and one.key == key for one in user.identities)]
    claimants = tuple(sorted(user.id for user in found if user not in owners))
    return (owners[0] if owners else None), claimants


def _give_email(tx: Transaction, user: User, gone: User | None, parties: Parties, email: str, asserted_by: str) -> User:
    """Hold the e-mail identity as hers, from nobody, from claimants, or from one who cannot be merged."""
    key = branded("email", email, user.brand_id)
    if parties.email_claimants:
        tx.identities.drop_claims("email", key)
    former = tuple(id for id in parties.email_claimants if id not in (user.id, gone.id if gone else None))
    owner = parties.email_owner
    identity = Identity(user.id, "email", email, key, True, "api", asserted_by, tx.now)
    if owner is None:
        tx.identities.add(identity)
    elif owner.id in (user.id, gone.id if gone else None):
        return user
    else:
        tx.users.rely_on(owner)
        tx.identities.move(identity)
        former = (*former, owner.id)
    if former:
        tx.emit(IdentityTakenOver(user.id, tuple(sorted(former)), "email"))
    tx.emit(IdentityAttached(user.id, "email", "api"))
    return structs.replace(user, identities=(*user.identities, identity))


def _give_external_id(
    tx: Transaction,
    user: User,
    members: list[str],
    loser: User | None,
    losers_members: list[str],
    external_id: str,
    asserted_by: str,
) -> User:
    """Hold the external id as hers instead of the one that she had, which is free from now on."""
    if user.external_id is not None:
        tx.identities.release("external_id", branded("external_id", user.external_id, user.brand_id))
    else:
        tx.sessions.end_all(members)
    if loser is None:
        own_external_id(tx, user.id, external_id, asserted_by, user.brand_id)
    else:
        key = branded("external_id", external_id, user.brand_id)
        tx.identities.move(Identity(user.id, "external_id", external_id, key, True, "api", asserted_by, tx.now))
        tx.users.drop_external_id(losers_members[1:], external_id)
        if loser.id != user.id:
            tx.users.rely_on(loser)
            if loser.external_id == external_id:
                tx.users.change(loser, external_id=None)
            tx.emit(UserUpdated(loser.id, ("external_id",)))
    tx.users.change(user, external_id=external_id)
    user = structs.replace(user, external_id=external_id)
    tx.emit(UserIdentified(user.id, external_id, user))
    return user
