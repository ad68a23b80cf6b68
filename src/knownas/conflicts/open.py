"""Open or refresh the case of a contested identity, and tell of it (R7, R12)."""

from msgspec import structs

from knownas.conflicts import (
    OUTCOME_OF,
    Case,
    Claim,
    Duplicate,
    Evidence,
    IdentityContested,
    Outcome,
    Standing,
)
from knownas.transaction import Transaction
from knownas.users import User


def record(tx: Transaction, claim: Claim, standing: Standing, claimant: User | None) -> Case:
    """Hold the case of this claim, opened or counted once more, its evidence and its event.

    `claimant` is the claimant's user as far as there is one after this; what becomes of the claim is the caller's to
    do, as the app's policy says. A dismissed case stays dismissed, a resolved one is open again.
    Emits identity.contested, numbered in the case.
    """
    outcome = OUTCOME_OF[tx.settings.conflict_policy]
    claimant_id = claimant.id if claimant else None
    tx.users.read_of(standing.owner)
    case = standing.case
    if case is None:
        case = _new_case(tx, claim, standing, outcome, claimant_id)
        tx.conflicts.add(case)
    else:
        case = _repeated(tx, case, claim, standing, outcome, claimant_id)
    device = claim.device
    tx.conflicts.add_evidence(
        case.id,
        Evidence(
            case.count,
            claim.asserted_by,
            outcome,
            device.guid if device else None,
            device.platform if device else None,
            claim.info,
            tx.now,
        ),
    )
    requested = structs.replace(claim.requested, id=claimant_id) if claimant_id else claim.requested
    tx.emit(
        IdentityContested(
            standing.owner.id,
            claim.type,
            claim.known.id if claim.known else None,
            case.id,
            outcome,
            (Duplicate(claim.type, claim.value),),
            standing.owner,
            requested,
            claim.info,
        )
    )
    return case


def _new_case(tx: Transaction, claim: Claim, standing: Standing, outcome: Outcome, claimant_id: str | None) -> Case:
    shadow = tx.settings.shadow_policy
    return Case(
        id=tx.new_id(),
        type=claim.type,
        key=claim.key,
        owner_id=standing.owner.id,
        claimant=claim.claimant,
        claimant_id=claimant_id,
        asserted_by=claim.asserted_by,
        first_seen=tx.now,
        last_seen=tx.now,
        value=claim.value,
        outcome=outcome,
        shadow_policy=shadow,
        shadow_outcome=OUTCOME_OF[shadow] if shadow else None,
    )


def _repeated(
    tx: Transaction, case: Case, claim: Claim, standing: Standing, outcome: Outcome, claimant_id: str | None
) -> Case:
    """Hold one more attempt of a case that there is; its state is written, and guarded, only where it changes."""
    shadow = tx.settings.shadow_policy
    columns = {
        "owner_id": standing.owner.id,
        "claimant_id": claimant_id,
        "asserted_by": claim.asserted_by,
        "last_seen": tx.now,
        "value": claim.value,
        "outcome": outcome,
        "shadow_policy": shadow,
        "shadow_outcome": OUTCOME_OF[shadow] if shadow else None,
    }
    tx.conflicts.repeat(case, **columns)
    if case.state == "resolved":
        columns["state"] = "open"
        tx.conflicts.change(case, state="open")
    return structs.replace(case, count=case.count + 1, **columns)
