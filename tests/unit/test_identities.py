"""Who gets an identity (R1, R2), and which spellings are one (R1)."""

import pytest

from knownas.identities import Attach, Contest, Holder, IdentityType, InvalidIdentity, Keep, TakeOver, decide
from knownas.identities.normalise import DIGEST_PREFIX, normalise


def test_a_free_identity_is_attached() -> None:
    assert decide("a", []) == decide(None, []) == decide("a", [Holder("a", owned=False)]) == Attach()


def test_the_owner_keeps_hers() -> None:
    assert decide("a", [Holder("a", owned=True), Holder("b", owned=False)]) == Keep()


def test_a_claim_yields_to_ownership() -> None:
    holders = [Holder("c", owned=False), Holder("b", owned=False), Holder("a", owned=False)]
    assert decide("a", holders) == TakeOver(("b", "c"))
    assert decide(None, holders) == TakeOver(("a", "b", "c"))


def test_anothers_ownership_is_contested_even_by_a_newcomer() -> None:
    assert decide("a", [Holder("b", owned=True)]) == decide(None, [Holder("b", owned=True)]) == Contest("b")


@pytest.mark.parametrize(
    ("type", "spellings"),
    [
        ("email", ["ada@example.com", " ADA@Example.COM ", "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ada@example。com"]),
        ("email", ["jörg@müller.de", "JO\u0308RG@xn--mller-kva.DE", "Jörg@MÜLLER.de"]),
        ("phone", ["+12025550123", "+1 (202) 555-0123", "＋1 202 555 0123", "+1\u2011202\u2011555\u20110123"]),
        ("username", ["Ada", "ada", "ＡＤＡ", " ada\n"]),
        ("username", ["ada lovelace", "Ada  Lovelace", "Ada\u3000Lovelace"]),
        ("username", ["straße", "STRASSE"]),
    ],
)
def test_spellings_of_one_identity_collide(type: IdentityType, spellings: list[str]) -> None:
    assert len({normalise(type, spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    "value",
    [
        "", "@", "ada", "ada@", "@example.com", "a@b@c", "a..b@c", ".a@c", "ada@-x.com", "ada@x..com", "ada@x.com.",
        "a b@c.com", '"a b"@c.com', "ada@[127.0.0.1]", "ada@exa_mple.com", "ada\x00@c.com", "a\u0301\u200d@c.com",
        "ad\u200ba@c.com", "\u202eada@c.com", "ada@c\u00ad.com", "ada@\ufeffc.com", "a\ufe0f@c.com", "a\u034fb@c.com",
        "\ud800@c.com", "ada@xn--a.com", "ada@ab--c.com", "\u0301a@c.com", "א1a@c.com", "x" * 120 + "@c.com.de",
        "a@" + "x" * 64, "☃@c.com", "ada@☃.com", "a\u3164@c.com", "ada@1.אב.com",
    ],
)  # fmt: skip
def test_tricks_and_nonsense_are_no_email(value: str) -> None:
    with pytest.raises(InvalidIdentity) as refused:
        normalise("email", value)
    assert len(value) < 9 or value not in refused.value.message


def test_an_invisible_character_is_named() -> None:
    with pytest.raises(InvalidIdentity, match=r"U\+200B"):
        normalise("email", "ad\u200ba@example.com")


@pytest.mark.parametrize(
    "value", ["", "12025550123", "+", "+1", "+1-800-FLOWERS", "+12025550123 ext 5", "+9" * 80, "+999123456789"]
)
def test_what_is_not_e164_is_no_phone(value: str) -> None:
    with pytest.raises(InvalidIdentity):
        normalise("phone", value)


@pytest.mark.parametrize("value", ["", " ", "a\u200db", "a\tb", "☃", "\u0301a", "x" * 192, "\ufdfa" * 100])
def test_what_cannot_be_read_out_is_no_username(value: str) -> None:
    with pytest.raises(InvalidIdentity):
        normalise("username", value)


def test_external_ids_are_compared_exactly() -> None:
    for value in ("Ada", "ada", " ada", "ａda", "a\u200bda", "x" * 512):
        assert normalise("external_id", value) == value
    for value in ("", "a\x00", "a\n", "\x85", "\udc00", "x" * 1025, DIGEST_PREFIX):
        with pytest.raises(InvalidIdentity):
            normalise("external_id", value)


def test_a_long_normal_form_becomes_a_digest_that_any_database_can_index() -> None:
    digests = {normalise("external_id", "é" * count) for count in (257, 258, 1024)}
    assert len(digests) == 3
    assert all(digest.startswith(DIGEST_PREFIX) and len(digest) == 72 for digest in digests)
    assert normalise("external_id", "é" * 256) == "é" * 256
