"""The one function that says when two spellings are the same identity (R1).

After PRECIS (RFC 8264, 8265) and UTS 46: what looks like a trick is refused rather than repaired.
"""

import re
import unicodedata
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import idna
import phonenumbers
from precis_i18n import get_profile

from knownas.identities import IdentityType, InvalidIdentity

MAX_EXTERNAL_ID: Final = 1024
MAX_EMAIL: Final = 128  # the vendor's limit for a profile's email
MAX_USERNAME: Final = 191  # FusionAuth's limit
MAX_PHONE: Final = 64
MAX_KEY_BYTES: Final = 512  # what any database can index
DIGEST_PREFIX: Final = "\x01sha256:"  # no value can spell it: control characters are refused

_BLANKS: Final = " \t\r\n"
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Default_Ignorable_Code_Point (Unicode 15), Cf, Cc, Cs, Co, line separators: they show as nothing, or move what shows.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_ATOM: Final = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# An email that is its own normal form but for ASCII case: the fast path, and nearly all that there are.
_PLAIN_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)
_PLAIN_USERNAME = re.compile(r"[!-~]+")
_ASCII_SYMBOLS = re.compile(r'["(),:;<>@\[\\\]]')
_PHONE = re.compile(r"\+[\d ().\-/\u2010-\u2015\u2212]+")
_PRECIS = get_profile("UsernameCasePreserved")


def normalise(type: IdentityType, value: str) -> str:
    """The normal form of `value`: two values are one identity exactly when their normal forms are equal.

    Idempotent, except that the digest which stands for a form of more than 512 UTF-8 bytes is itself no value.
    Raises InvalidIdentity.
    """
    key = _NORMAL_FORMS[type](value)
    if len(key) * 4 > MAX_KEY_BYTES and len(data := key.encode()) > MAX_KEY_BYTES:
        return DIGEST_PREFIX + sha256(data).hexdigest()
    return key


def _external_id(value: str) -> str:
    """External ids are the business's own: compared exactly, blanks and case included."""
    if not 1 <= len(value) <= MAX_EXTERNAL_ID:
        raise InvalidIdentity(f"An external id has 1 to {MAX_EXTERNAL_ID} characters")
    if _UNSAFE.search(value):
        raise InvalidIdentity("An external id contains a control character or half of a surrogate pair")
    return value


def _email(value: str) -> str:
    value = value.strip(_BLANKS)
    if len(value) <= MAX_EMAIL and _PLAIN_EMAIL.fullmatch(value):
        return value.lower()
    return _any_email(value)


def _any_email(value: str) -> str:
    """The email of any script. For plain ones it gives what the fast path gives (tests/property/test_normalise.py)."""
    text = _visible(value, "email", MAX_EMAIL)
    local, at, domain = text.partition("@")
    if not at or "@" in domain:
        raise InvalidIdentity("An email has exactly one @")
    key = ".".join(_part(atom, "email") for atom in _fold(local).split(".")) + "@" + _domain(domain)
    return _within(key, "email", MAX_EMAIL)


def _domain(domain: str) -> str:
    """The domain in ASCII, as it goes over the wire. One without a dot is a domain, too: intranets have them."""
    try:
        labels = idna.uts46_remap(domain, std3_rules=True, transitional=False).split(".")
        ascii_labels = [idna.alabel(label).decode() for label in labels]
        unicode_labels = [idna.ulabel(label) for label in ascii_labels]
        if any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in "".join(unicode_labels)):
            for label in unicode_labels:
                idna.check_bidi(label, check_ltr=True)
    except (idna.IDNAError, UnicodeError, IndexError):
        raise InvalidIdentity("The part of the email after the @ is no domain name") from None
    return ".".join(ascii_labels).lower()


def _username(value: str) -> str:
    value = value.strip(_BLANKS)
    if len(value) <= MAX_USERNAME and _PLAIN_USERNAME.fullmatch(value):
        return value.lower()
    words = _fold(_visible(value, "username", MAX_USERNAME)).split(" ")
    return _within(" ".join(_precis(word, "username") for word in words if word), "username", MAX_USERNAME)


def _phone(value: str) -> str:
    """E.164. No country is assumed, and a number that only looks like one of its country is taken as it is."""
    text = unicodedata.normalize("NFKC", value.strip(_BLANKS)) if len(value) <= MAX_PHONE else ""
    if not text.startswith("+"):
        raise InvalidIdentity("A phone number starts with + and the country code, as in +12025550123")
    if not _PHONE.fullmatch(text):
        raise InvalidIdentity("A phone number has only digits after the +, and spaces or dashes between them")
    key = _e164(text)
    if _e164(key) != key:
        raise InvalidIdentity("This phone number can be read in two ways; write it in E.164, as in +12025550123")
    return key


def _e164(text: str) -> str:
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        raise InvalidIdentity("This is no phone number of any country") from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidIdentity("This phone number is too short or too long for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _visible(value: str, what: str, limit: int) -> str:
    """The value in NFKC, which also maps width; refused if anything in it cannot be seen."""
    if not 1 <= len(value) <= limit:
        raise InvalidIdentity(f"A {what} has 1 to {limit} characters")
    text = unicodedata.normalize("NFKC", value).strip(_BLANKS)
    for candidate in (value, text):
        if hidden := _INVISIBLE.search(candidate):
            raise InvalidIdentity(f"The {what} contains an invisible or control character (U+{ord(hidden[0]):04X})")
    return text


def _fold(text: str) -> str:
    """Case folded and NFKC, repeated until it stands still, because each may undo the other."""
    for _ in range(4):
        folded = unicodedata.normalize("NFKC", text.casefold())
        if folded == text:
            return text
        text = folded
    raise InvalidIdentity("The text has no stable normal form")


def _part(atom: str, what: str) -> str:
    """One part of an email before the @, between dots."""
    if _ASCII_SYMBOLS.search(atom):
        raise InvalidIdentity(f"The {what} contains a character that may not stand before the @")
    return _precis(atom, what)


def _precis(text: str, what: str) -> str:
    """The text, if PRECIS allows all of it in an identifier: letters, digits, ASCII symbols, no mixed directions."""
    if text and not unicodedata.category(text[0]).startswith("M"):
        try:
            if _PRECIS.enforce(text) == text:
                return text
        except ValueError:
            pass
    raise InvalidIdentity(f"The {what} contains a character, or an order of characters, that is not allowed")


def _within(key: str, what: str, limit: int) -> str:
    """The key, if it is not longer than a value may be; else it would not be its own normal form."""
    if not 1 <= len(key) <= limit:
        raise InvalidIdentity(f"A {what} has 1 to {limit} characters")
    return key


_NORMAL_FORMS: Final[dict[IdentityType, Callable[[str], str]]] = {
    "external_id": _external_id,
    "email": _email,
    "phone": _phone,
    "username": _username,
}
