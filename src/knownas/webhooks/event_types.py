"""What webhooks of FusionAuth's format may ask for: that product's names of events (facts on it, section 1)."""

from collections.abc import Sequence
from typing import Final

from knownas.apps import DUPLICATE_ON_CREATE, DUPLICATE_ON_UPDATE

HAPPENING: Final = (DUPLICATE_ON_CREATE, DUPLICATE_ON_UPDATE)
"""What Knownas causes. The rest is accepted, as FusionAuth's own clients send all of it, and nothing causes it yet."""

EVENT_TYPES: Final = frozenset(
    """
    audit-log.create entity.create entity.create.complete entity.delete entity.delete.complete entity.update
    entity.update.complete event-log.create group.create group.create.complete group.delete group.delete.complete
    group.member.add group.member.add.complete group.member.remove group.member.remove.complete group.member.update
    group.member.update.complete group.update group.update.complete jwt.public-key.update jwt.refresh
    jwt.refresh-token.revoke kickstart.success test user.action user.bulk.create user.create user.create.complete
    user.deactivate user.delete user.delete.complete user.email.update user.email.verified user.identity-provider.link
    user.identity-provider.unlink user.identity.update user.identity.verified user.login.failed user.login.new-device
    user.login.success user.login.suspicious user.loginId.duplicate.create user.loginId.duplicate.update
    user.password.breach user.password.reset.send user.password.reset.start user.password.reset.success
    user.password.update user.reactivate user.registration.create user.registration.create.complete
    user.registration.delete user.registration.delete.complete user.registration.update
    user.registration.update.complete user.registration.verified user.two-factor.challenge
    user.two-factor.failed-attempt user.two-factor.method.add user.two-factor.method.remove user.two-factor.success
    user.update user.update.complete
    """.split()
)


def without_effect(events: Sequence[str]) -> tuple[str, ...]:
    """Those of the events that nothing causes yet, for whoever is to be told so. Pure."""
    return tuple(event for event in events if event not in HAPPENING)
