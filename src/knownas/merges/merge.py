"""Merge two users because an operator says that they are one."""

from knownas.merges import Meeting
from knownas.merges.absorb import meet, unite
from knownas.plans import Foreseen, Preview
from knownas.plans.party import named, party, state_of
from knownas.resolutions import By, CannotResolve
from knownas.transaction import Transaction
from knownas.users import User
from knownas.users.metadata import combine


class ForeseenMerge(Foreseen, frozen=True):
    """Who becomes one with whom."""

    surviving: User
    discarded: User
    meeting: Meeting | None


async def foresee_merge(tx: Transaction, surviving: User, discarded: User) -> ForeseenMerge:
    """What the merge will do. Raises CannotResolve where the two are one already, or must not become one."""
    if surviving.id == discarded.id:
        raise CannotResolve("These are one user already")
    if surviving.brand_id != discarded.brand_id:
        raise CannotResolve("The two users belong to different brands, and users of different brands are not merged")
    if surviving.anonymous and not discarded.anonymous:
        raise CannotResolve("An anonymous user cannot survive an identified one: merge them the other way round")
    meeting = await meet(tx, surviving, discarded)
    _, left_over = combine(surviving.metadata, discarded.metadata)
    does = [f"Everything of {named(discarded)} is {named(surviving)}'s from now on, and every former id finds her."]
    relies_on: dict[str, str | int | None] = {
        f"user:{surviving.id}": state_of(surviving),
        f"user:{discarded.id}": state_of(discarded),
    }
    if meeting is not None:
        united = not tx.settings.multi_convo_enabled
        does.append(
            f"Conversations {meeting.discarded.id} and {meeting.surviving.id} become one."
            if united
            else f"Conversation {meeting.discarded.id} becomes one among others; {meeting.surviving.id} is the default."
        )
        relies_on |= {f"default:{meeting.surviving.id}": int(united), f"default:{meeting.discarded.id}": int(united)}
    preview = Preview(
        tuple(does),
        (await party(tx, surviving, "surviving"), await party(tx, discarded, "discarded", stays=False)),
        left_over,
        warnings=("Not all metadata fits into 4 KB: what does not is listed, and kept for undo.",) if left_over else (),
    )
    return ForeseenMerge(preview, (surviving.id, discarded.id), relies_on, surviving, discarded, meeting)


def carry_out_merge(tx: Transaction, foreseen: ForeseenMerge, by: By) -> str:
    """Hold the merge; its id in the journal. Loses its race when either was written meanwhile. Emits users.merged."""
    tx.users.rely_on(foreseen.surviving)
    return unite(tx, foreseen.surviving, foreseen.discarded, "api", foreseen.meeting, by)[1].id
