"""Normal forms are stable, look-alikes collide or are refused, and decisions follow R1 and R2."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from knownas.identities import Attach, Contest, Holder, IdentityType, InvalidIdentity, Keep, TakeOver, decide
from knownas.identities.normalise import DIGEST_PREFIX, _any_email, normalise

TYPES: list[IdentityType] = ["external_id", "email", "phone", "username"]
ANY = st.text(st.characters(exclude_categories=[]), max_size=30)
LETTERS = st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=8)
ASCII_PARTS = st.from_regex(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,20}", fullmatch=True)
ASCII_DOMAINS = st.from_regex(r"[A-Za-z0-9.\-_]{1,24}", fullmatch=True)
PLAIN = st.from_regex(r"[a-z]{1,9}([.+-][a-z0-9]{1,5})?@[a-z]{1,9}\.(com|example|co\.uk)", fullmatch=True)
EMAILS = st.builds("{}@{}".format, ASCII_PARTS | LETTERS | ANY, ASCII_DOMAINS | LETTERS.map("{}.com".format) | ANY)
PHONES = st.from_regex(r"\+(1|44|49|39|52|54|7|81|91)[ 0-9()-]{5,16}", fullmatch=True)
USERS = st.sampled_from(["a", "b", "c", "d"])
HOLDERS = st.lists(st.builds(Holder, USERS, owned=st.booleans()), max_size=6)


def form(type: IdentityType, value: str) -> str | None:
    """The normal form, or None for a refusal; anything else that is raised fails the test."""
    try:
        return normalise(type, value)
    except InvalidIdentity:
        return None


@given(st.sampled_from(TYPES), ANY | EMAILS | PHONES | LETTERS | st.text(max_size=1100))
def test_a_normal_form_is_its_own_normal_form(type: IdentityType, value: str) -> None:
    key = form(type, value)
    if key is not None:
        assert len(key.encode()) <= 512
        assert key.startswith(DIGEST_PREFIX) or normalise(type, key) == key


@given(st.builds("{}@{}".format, ASCII_PARTS, ASCII_DOMAINS) | EMAILS)
def test_the_fast_path_for_emails_agrees_with_the_slow_one(value: str) -> None:
    try:
        slow = _any_email(value.strip(" \t\r\n"))
    except InvalidIdentity:
        slow = None
    assert form("email", value) == slow


@given(PLAIN, st.data())
def test_case_and_width_do_not_make_another_email(value: str, data: st.DataObject) -> None:
    expected = normalise("email", value)
    assert normalise("email", value.upper()) == normalise("email", f" {value}\n") == expected
    at = data.draw(st.integers(0, len(value) - 1))
    wide = value[:at] + chr(ord(value[at]) + 0xFEE0) + value[at + 1 :]
    assert normalise("email", wide) == expected
    assert normalise("username", wide) == normalise("username", value)


@given(
    st.sampled_from(["email", "username", "phone"]),
    PLAIN,
    st.sampled_from("\u200b\u200c\u200d\u2060\ufeff\u00ad\u202e\u2066\u034f\u180e\ufe0f\u3164\U000e0041"),
    st.integers(0, 40),
)
def test_invisible_characters_are_refused(type: IdentityType, value: str, hidden: str, at: int) -> None:
    value = "+12025550123" if type == "phone" else value
    with pytest.raises(InvalidIdentity):
        normalise(type, value[:at] + hidden + value[at:])


@given(st.integers(2_000_000, 9_999_999), st.lists(st.sampled_from(["", " ", "-", "."]), min_size=8, max_size=8))
def test_spellings_of_one_phone_number_collide(number: int, between: list[str]) -> None:
    digits = f"202{number}"
    spelled = "+1" + "".join(map("".join, zip(between, digits, strict=False))) + digits[len(between) :]
    assert normalise("phone", spelled) == f"+1{digits}"


@given(st.text(max_size=600), st.text(max_size=600))
def test_external_ids_collide_only_when_they_are_equal(one: str, other: str) -> None:
    first, second = form("external_id", one), form("external_id", other)
    assume(first is not None)
    assert (first == second) == (one == other)


@given(st.none() | USERS, HOLDERS)
def test_the_four_decisions_cover_all_cases(claimant: str | None, holders: list[Holder]) -> None:
    owners = {holder.user_id for holder in holders if holder.owned}
    match decide(claimant, holders):
        case Contest(owner):
            assert owner in owners
            assert owner != claimant
        case Keep():
            assert owners == {claimant}
        case TakeOver(former):
            assert not owners
            assert former
            assert set(former) == {holder.user_id for holder in holders} - {claimant}
        case Attach():
            assert not owners
            assert {holder.user_id for holder in holders} <= {claimant}


@given(st.none() | USERS, HOLDERS)
def test_a_mere_claim_never_blocks_nor_outweighs_an_owner(claimant: str | None, holders: list[Holder]) -> None:
    owned = [holder for holder in holders if holder.owned]
    with_claims, without = decide(claimant, holders), decide(claimant, owned)
    if owned:
        assert with_claims == without
    else:
        assert isinstance(with_claims, Attach | TakeOver)
    assert decide(claimant, holders[::-1]) == with_claims
