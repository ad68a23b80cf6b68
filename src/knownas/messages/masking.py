"""Hide card numbers in what users say (the app's setting `maskCreditCardNumbers`)."""

import re
from typing import Any, Final

_DIGITS_AT_LEAST: Final = 13
_DIGITS_AT_MOST: Final = 19  # ISO/IEC 7812
_SHOWN: Final = 4
_MASK: Final = "X"

_SEPARATOR: Final = r"[ \u00a0\u2007\u2009\u202f\-\u2010-\u2015]"
_RUN: Final = re.compile(rf"\d+(?:{_SEPARATOR}{{1,3}}\d+)*")
_GROUP: Final = re.compile(r"\d+")
_READ_BY_PEOPLE: Final = frozenset("text htmlText textFallback title description altText address".split())


def mask_cards(text: str) -> str:
    """The text with all but the last four digits of each card number as X.

    A card number is 13 to 19 digits that pass the Luhn check, whole groups of digits apart by spaces or dashes. So
    longer numbers stay as they are, and a number that stands before or after a card's is not mistaken for a part of it.
    """
    if len(text) < _DIGITS_AT_LEAST:
        return text
    return _RUN.sub(lambda run: _mask_run(run[0]), text)


def _mask_run(run: str) -> str:
    """Mask the leftmost, longest card numbers made of whole groups of this run."""
    groups = [(group.start(), group.end()) for group in _GROUP.finditer(run)]
    hidden = list(run)
    first = 0
    while first < len(groups):
        last = _card_from(run, groups, first)
        if last is None:
            first += 1
            continue
        places = [at for start, end in groups[first : last + 1] for at in range(start, end)]
        for at in places[:-_SHOWN]:
            hidden[at] = _MASK
        first = last + 1
    return "".join(hidden)


def _card_from(run: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The last group of the longest card number that begins with group `first`, or None."""
    digits, found = "", None
    for last in range(first, len(groups)):
        digits += run[slice(*groups[last])]
        if len(digits) > _DIGITS_AT_MOST:
            break
        if len(digits) >= _DIGITS_AT_LEAST and passes_luhn(digits):
            found = last
    return found


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + at % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def mask_content(content: dict[str, Any]) -> dict[str, Any]:
    """Stored content with the card numbers masked in everything that people read or type: texts, titles, answers."""
    return {name: _masked(name, value) for name, value in content.items()}


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return mask_cards(value) if name in _READ_BY_PEOPLE else value
    if isinstance(value, dict):
        return {inner: _masked(inner, part) for inner, part in value.items()}
    if isinstance(value, list):
        return [_masked(name, part) for part in value]
    return value
