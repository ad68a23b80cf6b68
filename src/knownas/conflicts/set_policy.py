"""Choose what a contested identity does to a login, at run time (R7)."""

from msgspec import UNSET, Struct, UnsetType, structs, to_builtins

from knownas.apps import App, AppUpdated, ConflictPolicy, InvalidApp
from knownas.apps.update import get_app
from knownas.audit.append import append
from knownas.resolutions import By
from knownas.transaction import Transaction

UNDO_DAYS_AT_MOST = 3650


class PolicyChanges(Struct, frozen=True):
    """What to change; `UNSET` leaves it. A `shadow_policy` of None asks nobody."""

    conflict_policy: ConflictPolicy | UnsetType = UNSET
    shadow_policy: ConflictPolicy | None | UnsetType = UNSET
    undo_days: int | UnsetType = UNSET


async def set_policy(tx: Transaction, changes: PolicyChanges, by: By) -> App:
    """The app as it is then; each change is in the audit log with what was before.

    Raises AppNotFound, InvalidApp. Emits app.updated when anything changed.
    """
    app = await get_app(tx)
    last = await tx.audit.last()
    if changes.undo_days is not UNSET and not 1 <= changes.undo_days <= UNDO_DAYS_AT_MOST:
        raise InvalidApp(f"undoDays is a number of days from 1 to {UNDO_DAYS_AT_MOST}")
    chosen = {name: value for name, value in structs.asdict(changes).items() if value is not UNSET}
    before = {name: getattr(app.settings, name) for name in chosen}
    changed = structs.replace(app, settings=structs.replace(app.settings, **chosen))
    if changed == app:
        return app
    tx.apps.update(changed)
    tx.emit(AppUpdated(app.id))
    append(
        tx,
        last,
        by.actor,
        "policy.change",
        (app.id,),
        to_builtins({"note": by.note, "before": before, "after": chosen}),
    )
    return changed
