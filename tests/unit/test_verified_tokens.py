"""A remembered token is never believed for longer than the token itself, nor for longer than its key."""

from knownas.keys.parts import MAX_TOKEN
from knownas.keys.tokens import LEEWAY_S, UserClaims
from knownas.keys.verified import VerifiedTokens, token_hash


def claims(key_id: str = "k", expires_at: float | None = None) -> UserClaims:
    return UserClaims(key_id, "app", "1234", None, False, None, expires_at, None)


def test_a_verified_token_is_found_again() -> None:
    tokens = VerifiedTokens()
    assert tokens.get(b"t", 0) is None
    tokens.put(b"t", claims())
    assert tokens.get(b"t", 0) == (claims(), "k")
    assert tokens.get(b"T", 0) is None


def test_an_entry_dies_with_its_expiry_and_leeway() -> None:
    tokens = VerifiedTokens()
    tokens.put(b"t", claims(expires_at=100.0))
    assert tokens.get(b"t", 99.9 + LEEWAY_S) is not None
    assert tokens.get(b"t", 100.0 + LEEWAY_S) is None
    assert tokens.get(b"t", 0) is None
    assert len(tokens) == 0


def test_the_least_recently_used_goes_first() -> None:
    tokens = VerifiedTokens(2)
    tokens.put(b"a", claims())
    tokens.put(b"b", claims())
    tokens.get(b"a", 0)
    tokens.put(b"c", claims())
    assert [name for name in "abc" if tokens.get(name.encode(), 0)] == ["a", "c"]
    tokens.put(b"c", claims("other"))
    assert len(tokens) == 2


def test_a_deleted_key_takes_all_its_tokens_along() -> None:
    tokens = VerifiedTokens()
    tokens.put(b"a", claims("k"))
    tokens.put(b"b", claims("k"))
    tokens.put(b"c", claims("other"))
    tokens.put(b"a", claims("other"))
    tokens.forget_key("k")
    tokens.forget_key("k")
    assert [name for name in "abc" if tokens.get(name.encode(), 0)] == ["a", "c"]
    tokens.forget_key("other")
    assert len(tokens) == 0


def test_hostile_tokens_are_merely_unknown() -> None:
    tokens = VerifiedTokens()
    assert tokens.get(token_hash("\ud800"), 0) is None
    assert tokens.get(token_hash("a" * (MAX_TOKEN + 1)), 0) is None


def test_tokens_are_told_apart_by_their_hash() -> None:
    assert token_hash("a" * MAX_TOKEN) != token_hash("a" * (MAX_TOKEN - 1) + "b")
