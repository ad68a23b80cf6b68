"""A remembered token is never believed for longer than the token itself, nor for longer than its key."""

from knownas.keys.tokens import LEEWAY_S, MAX_TOKEN, UserClaims
from knownas.keys.verified import VerifiedTokens


def claims(key_id: str = "k", expires_at: float | None = None) -> UserClaims:
    return UserClaims(key_id, "app", "1234", None, False, None, expires_at, None)


def test_a_verified_token_is_found_again() -> None:
    tokens = VerifiedTokens()
    assert tokens.get("t", 0) is None
    tokens.put("t", claims())
    assert tokens.get("t", 0) == (claims(), "k")
    assert tokens.get("T", 0) is None


def test_an_entry_dies_with_its_expiry_and_leeway() -> None:
    tokens = VerifiedTokens()
    tokens.put("t", claims(expires_at=100.0))
    assert tokens.get("t", 99.9 + LEEWAY_S) is not None
    assert tokens.get("t", 100.0 + LEEWAY_S) is None
    assert tokens.get("t", 0) is None
    assert len(tokens) == 0


def test_the_least_recently_used_goes_first() -> None:
    tokens = VerifiedTokens(2)
    tokens.put("a", claims())
    tokens.put("b", claims())
    tokens.get("a", 0)
    tokens.put("c", claims())
    assert [name for name in "abc" if tokens.get(name, 0)] == ["a", "c"]
    tokens.put("c", claims("other"))
    assert len(tokens) == 2


def test_a_deleted_key_takes_all_its_tokens_along() -> None:
    tokens = VerifiedTokens()
    tokens.put("a", claims("k"))
    tokens.put("b", claims("k"))
    tokens.put("c", claims("other"))
    tokens.put("a", claims("other"))
    tokens.forget_key("k")
    tokens.forget_key("k")
    assert [name for name in "abc" if tokens.get(name, 0)] == ["a", "c"]
    tokens.forget_key("other")
    assert len(tokens) == 0


def test_hostile_tokens_are_merely_unknown() -> None:
    tokens = VerifiedTokens()
    assert tokens.get("\ud800", 0) is None
    assert tokens.get("a" * (MAX_TOKEN + 1), 0) is None
