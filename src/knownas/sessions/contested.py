"""A login whose verified e-mail is another user's: what the app's policy makes of it (R7)."""

from msgspec import Struct, structs

from knownas.conflicts import Claim, EmailContested, RequestInfo, Standing
from knownas.conflicts.open import record
from knownas.devices import DeviceInfo
from knownas.errors import LostRace
from knownas.identities import Contest, Identity
from knownas.keys.tokens import UserClaims
from knownas.resolutions import By
from knownas.resolutions.hand_over import HandOver, hand_over
from knownas.sessions import Situation
from knownas.sessions.profile import stated_profile
from knownas.transaction import Transaction
from knownas.users import User, UserChanges
from knownas.users.create import user_of
from knownas.users.update import differences


class Contested(Struct, frozen=True):
    """The claim, what stands against it, and the identity as its owner has it where the policy takes it from her."""

    claim: Claim
    standing: Standing
    held: Identity | None = None


async def contested_email(
    tx: Transaction,
    contest: Contest,
    claims: UserClaims,
    key: str,
    found: Situation,
    device: DeviceInfo | None,
    request: RequestInfo,
) -> Contested:
    """What there is to know of the contested e-mail before anything is written.

    Under the policy `reject` this is the end of the login: the case and its event are held, and EmailContested raised.
    """
    email = claims.verified_email or ""
    standing = found.standing or await tx.conflicts.standing(contest.owner, "email", key, claims.external_id)
    if standing is None or (standing.owner.id, standing.owner.revision) != (contest.owner, found.owner_revision):
        raise LostRace  # whatever happened since she was found to own it may have settled this very case
    known = found.known
    if known is not None:
        whole = await tx.users.by_id(known.id)
        known = structs.replace(known, identities=whole.identities) if whole else known
    requested = _requested(tx, claims, known, email, key)
    claim = Claim("email", email, key, claims.external_id, known, requested, claims.key_id, device, request)
    if tx.settings.conflict_policy == "reject":
        claimant = known or found.visitor
        if claimant is not None:  # whoever removes her meanwhile waits, and removes what is told of her here too
            tx.users.read_of(claimant)
        record(tx, claim, standing, claimant)
        raise EmailContested
    held = await tx.identities.owned("email", key) if tx.settings.conflict_policy == "transfer" else None
    return Contested(claim, standing, held)


def follow_policy(tx: Transaction, contested: Contested, user: User) -> User:
    """Hold what the policy makes of the claim of `user`, who signs in: nothing under `quarantine`, else a transfer.

    Emits identity.contested; under `transfer` also identity.taken_over, identity.attached and conflict.settled.
    """
    claim = contested.claim
    case = record(tx, claim, contested.standing, user)
    if contested.held is None:
        return user
    wanted = Identity(user.id, "email", claim.value, claim.key, True, "sso", claim.asserted_by, tx.now)
    owner = contested.standing.owner
    hand_over(tx, HandOver("transfer", case, contested.held, wanted, owner, claim.claimant), By("policy:transfer"))
    return structs.replace(user, identities=(*user.identities, wanted))


def _requested(tx: Transaction, claims: UserClaims, known: User | None, email: str, key: str) -> User:
    """The claimant with the requested change applied; one who does not exist has an id that nobody will find."""
    changes = stated_profile(claims, UserChanges())
    user = known or user_of(tx, claims.external_id, changes, authenticated=True)
    wanted = Identity(user.id, "email", email, key, True, "sso", claims.key_id, tx.now)
    altered = differences(user, changes) if known else {}
    return structs.replace(user, **altered, identities=(*user.identities, wanted))
