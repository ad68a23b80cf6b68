"""Whatever a message says: it is taken whole or refused with words, and no card number of a user is stored."""

import re
import string
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knownas.conversations import Origin
from knownas.errors import DomainError
from knownas.http.decode import InvalidBody, decode_json
from knownas.http.sunshine_v2.wire_messages import MessageBody
from knownas.messages import Author, Message, StoredMessage
from knownas.messages.actions import content_with_ids, numbered_actions
from knownas.messages.content import AnyContent, complete
from knownas.messages.masking import mask_cards, mask_content, passes_luhn
from knownas.messages.rich_text import html_of, text_of
from knownas.messages.stored import body_of, message_of

SEPARATORS = " -\u00a0\u2011\u2013"
SLOWEST_S = 1.0
"""Far more than any of these take, far less than what a quadratic algorithm would."""


def read(**fields: Any) -> dict[str, Any]:
    """The content as a facade decodes it and the core completes it."""
    return complete(decode_json(msgspec.json.encode(fields), AnyContent))  # type: ignore[arg-type]


# Card numbers


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    digits = draw(st.text(string.digits, min_size=12, max_size=18))
    return next(digits + last for last in string.digits if passes_luhn(digits + last))


@st.composite
def spelled_cards(draw: st.DrawFn) -> str:
    """A card number in groups, as people write it."""
    number = draw(card_numbers())
    cuts = sorted(draw(st.sets(st.integers(1, len(number) - 1), max_size=5)))
    groups = [number[a:b] for a, b in zip([0, *cuts], [*cuts, len(number)], strict=True)]
    separator = draw(st.sampled_from(SEPARATORS))
    return separator.join(groups)


without_digits = st.text(st.characters(exclude_categories=["Nd", "Cs"]), max_size=20)


@given(spelled_cards(), without_digits, without_digits)
def test_a_card_number_among_words_is_masked_but_for_its_last_four_digits(card: str, before: str, after: str) -> None:
    masked = mask_cards(f"{before}!{card}!{after}")
    shown = masked[len(before) + 1 : len(masked) - len(after) - 1]
    assert (masked.startswith(before + "!"), masked.endswith("!" + after)) == (True, True)
    assert len(shown) == len(card)
    assert re.sub(r"\D", "", shown) == re.sub(r"\D", "", card)[-4:]
    assert re.sub(r"[\dX]", "", shown) == re.sub(r"\d", "", card), "what stands between the digits stays"


@given(st.text(string.digits + " -a.", max_size=80))
def test_masking_twice_is_masking_once_and_keeps_the_length(text: str) -> None:
    masked = mask_cards(text)
    assert len(masked) == len(text)
    assert mask_cards(masked) == masked


@given(st.text(string.digits, min_size=1, max_size=40))
def test_what_is_no_card_number_stays(digits: str) -> None:
    if not (13 <= len(digits) <= 19 and passes_luhn(digits)):
        assert mask_cards(digits) == digits


@given(card_numbers())
def test_a_wrong_check_digit_is_no_card_number(number: str) -> None:
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert mask_cards(wrong) == wrong


@pytest.mark.parametrize("number", ["4242424242424242", "378282246310005", "6011111111111117", "30569309025904"])
def test_known_test_numbers_are_masked(number: str) -> None:
    assert mask_cards(number) == "X" * (len(number) - 4) + number[-4:]
    assert (
        mask_cards(f"order no. 17: {number}, 12/29") == f"order no. 17: {'X' * (len(number) - 4)}{number[-4:]}, 12/29"
    )


def test_everything_that_people_read_is_masked_and_nothing_else() -> None:
    card, masked = "4242 4242 4242 4242", "XXXX XXXX XXXX 4242"
    form = read(type="form", text=card, fields=[{"type": "text", "name": card, "label": "l", "text": card}])
    shown = mask_content(form)
    assert (shown["text"], shown["fields"][0]["text"], shown["fields"][0]["name"]) == (masked, masked, card)
    image = read(type="image", mediaUrl="https://e.org/4242424242424242", altText=card, htmlText=f"<b>{card}</b>")
    shown = mask_content(image)
    assert (shown["mediaUrl"], shown["altText"], shown["text"]) == ("https://e.org/4242424242424242", masked, masked)
    assert shown["htmlText"] == f"<b>{masked}</b>"
    buttons = read(type="text", actions=[{"type": "reply", "text": card, "payload": card}])
    assert mask_content(buttons)["actions"][0]["payload"] == card


# Rich text


@given(st.text(max_size=300) | st.text("<>/!-&;\"'= abl[]()*_`#|\n", max_size=300))
def test_any_text_is_markdown_and_html(text: str) -> None:
    assert isinstance(text_of(html_of(text)), str)
    assert len(text_of(text)) <= len(text) + 8


@given(st.text(string.ascii_letters + " .", max_size=100))
def test_plain_words_stay_the_same_words(text: str) -> None:
    assert text_of(f"<p>{text}</p>").split() == text.split()


@pytest.mark.parametrize(
    ("rich", "plain"),
    [
        ("<h1>Hi</h1><p>there<br>you</p>", "Hi\n\nthere\nyou"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ('<a href="https://e.org?a=1&amp;b=2">this</a>', "this (https://e.org?a=1&b=2)"),
        ("<a href='https://e.org'>https://e.org</a>", "https://e.org"),
        ('<img src="x" alt="A &quot;cat&quot;">', 'A "cat"'),
        ("a<script>alert(1)</script>b<!-- c -->d<style>e</style>", "abd"),
        ("1 &lt; 2 &amp; 3 < 4", "1 < 2 & 3 < 4"),
        ("<script>", ""),
    ],
)
def test_html_reads_as_plain_text(rich: str, plain: str) -> None:
    assert text_of(rich) == plain


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# Hello!", "<h1>Hello!</h1>"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>"),
        ("a\nb ~~c~~", "<p>a<br />\nb <s>c</s></p>"),
    ],
)
def test_markdown_becomes_html_without_letting_html_through(markdown: str, html: str) -> None:
    assert html_of(markdown) == html


HOSTILE = [
    "[",
    "*a ",
    ">",
    "`a",
    "![[",
    "<a ",
    '<a "',
    "*_",
    "a\n",
    "|",
    "- ",
    "[a](<",
    "&",
    "*a**b",
    "<!--",
    "<script>",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_takes_long(piece: str) -> None:
    text = (piece * 4096)[:4096]
    started = time.perf_counter()
    text_of(html_of(text))
    text_of(text)
    assert time.perf_counter() - started < SLOWEST_S


# Content as a whole

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
label = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=30)
url = label.map(lambda text: f"https://e.org/{text}")
action = st.one_of(
    st.fixed_dictionaries({"type": st.just("link"), "text": words, "uri": url}, optional={"default": st.booleans()}),
    st.fixed_dictionaries({"type": st.just("postback"), "text": words, "payload": words}),
    st.fixed_dictionaries({"type": st.just("buy"), "text": words, "amount": st.integers(0, 10**9)}),
    st.fixed_dictionaries(
        {"type": st.just("webview"), "text": words, "uri": url, "fallback": url},
        optional={"size": st.sampled_from(["compact", "tall", "full"])},
    ),
)
loose_action = action | st.fixed_dictionaries(
    {"type": st.just("reply"), "text": words, "payload": words}, optional={"iconUrl": url}
)
item = st.fixed_dictionaries(
    {"title": label, "actions": st.lists(action, min_size=1, max_size=3)},
    optional={"description": words, "mediaUrl": url, "size": st.just("large"), "metadata": st.just({"a": 1})},
)
field = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "label": label}, optional={"placeholder": label}),
    st.fixed_dictionaries({"type": st.just("email"), "label": label}),
    st.fixed_dictionaries(
        {"type": st.just("select"), "label": label, "options": st.just([{"name": "a", "label": "A"}])}
    ),
)
blocking = {"blockChatInput": st.booleans()}
contents = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("text"), "text": words.filter(bool)},
        optional={"actions": st.lists(loose_action, max_size=4), "payload": words, **blocking},
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["image", "file"]), "mediaUrl": url}, optional={"text": words, "altText": words}
    ),
    st.fixed_dictionaries({"type": st.just("carousel"), "items": st.lists(item, min_size=1, max_size=3)}),
    st.fixed_dictionaries(
        {"type": st.just("list"), "items": st.lists(item, min_size=1, max_size=3)},
        optional={"actions": st.lists(action, min_size=1, max_size=4), **blocking},
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("location"),
            "coordinates": st.fixed_dictionaries({"lat": st.floats(-90, 90), "long": st.floats(-180, 180)}),
        }
    ),
    st.lists(field, min_size=1, max_size=4).map(
        lambda fields: {"type": "form", "fields": [{**each, "name": str(at)} for at, each in enumerate(fields)]}
    ),
)


def covers(shown: Any, sent: Any) -> bool:
    """Whether `shown` says all that `sent` does, and perhaps more."""
    if isinstance(sent, dict):
        return isinstance(shown, dict) and all(covers(shown.get(name), value) for name, value in sent.items())
    if isinstance(sent, list):
        return len(shown) == len(sent) and all(map(covers, shown, sent))
    return bool(shown == sent) or (sent == "" and not shown)


@given(contents)
def test_content_comes_back_whole_and_completing_it_again_changes_nothing(sent: dict[str, Any]) -> None:
    shown = read(**sent)
    assert covers(shown, sent)
    assert read(**shown) == shown
    ids = [action["_id"] for action in numbered_actions(content_with_ids("f" * 24, shown))]
    assert len(set(ids)) == len(ids) == len(list(numbered_actions(shown)))


@given(contents, words, words)
def test_what_is_stored_is_read_again(sent: dict[str, Any], name: str, value: str) -> None:
    author = Author("business", display_name=name or None)
    message = Message("i", "c", 1, author, read(**sent), Origin(), "q" if name else None, {"a": value}, {"schema": "x"})
    stored = StoredMessage("i", "c", 1, None, body_of(message))
    assert message_of(stored) == message


@given(contents, st.sampled_from(["type", "text", "items", "fields", "coordinates", "mediaUrl", "actions"]), st.data())
def test_a_wrong_field_is_refused_in_words_or_taken(sent: dict[str, Any], name: str, data: st.DataObject) -> None:
    wrong: Any = data.draw(st.none() | st.integers() | st.just("\x7f") | st.just([]) | st.just({}) | st.just([{}]))
    refusal = None
    try:
        read(**{**sent, name: wrong})
    except DomainError as refused:
        refusal = refused
    assert refusal is None or (refusal.kind == "invalid" and len(str(refusal)) > 5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | words, lambda inner: st.lists(inner) | st.dictionaries(words, inner)
)


@given(JSON, JSON)
def test_any_json_is_a_message_or_refused_in_words(content: Any, author: Any) -> None:
    body = msgspec.json.encode({"author": author, "content": content})
    with pytest.raises(InvalidBody):
        decode_json(body, MessageBody)


REFUSED = [
    ({"type": "text"}, "required property 'text'"),
    ({"type": "text", "text": "", "actions": []}, "required property 'text'"),
    ({"type": "text", "text": "x" * 4097}, "text should NOT be longer than 4096"),
    ({"type": "text", "htmlText": "x" * 4097}, "htmlText should NOT be longer than 4096"),
    ({"type": "text", "markdownText": "<" * 4096}, "markdownText as HTML should NOT be longer than 4096"),
    ({"type": "text", "markdownText": "a", "htmlText": "a"}, "not both"),
    ({"type": "text", "text": "a", "actions": [{"type": "link", "text": "a"}]}, "required property 'uri'"),
    ({"type": "text", "text": "a", "actions": [{"type": "postback", "text": "a"}]}, "required property 'payload'"),
    ({"type": "text", "text": "a", "actions": [{"type": "buy", "text": "a"}]}, "required property 'amount'"),
    (
        {"type": "text", "text": "a", "actions": [{"type": "webview", "text": "a", "uri": "https://e.org"}]},
        "'fallback'",
    ),
    (
        {"type": "text", "text": "a", "actions": [{"type": "link", "text": "a", "uri": " java\nscript:alert()"}]},
        "not a script",
    ),
    (
        {
            "type": "text",
            "text": "a",
            "actions": [{"type": "webview", "text": "", "uri": "a", "fallback": "a", "openOnReceive": True}] * 2,
        },
        "openOnReceive",
    ),
    ({"type": "text", "text": "a", "actions": [{"type": "swipe", "text": "a"}]}, "swipe"),
    ({"type": "video", "mediaUrl": "https://e.org"}, "video"),
    ({"type": "image"}, "required property 'mediaUrl'"),
    ({"type": "image", "mediaUrl": "file:///etc/passwd"}, "mediaUrl"),
    ({"type": "image", "mediaUrl": "http://["}, "mediaUrl"),
    ({"type": "image", "mediaUrl": "https://e.org", "altText": "x" * 129}, "altText"),
    ({"type": "carousel", "items": []}, "items"),
    ({"type": "carousel", "items": [{"title": "a", "actions": []}]}, "actions"),
    (
        {"type": "carousel", "items": [{"title": "a", "actions": [{"type": "reply", "text": "", "payload": ""}]}]},
        "reply",
    ),
    ({"type": "carousel", "items": [{"title": "", "actions": []}]}, "title"),
    ({"type": "location", "coordinates": {"lat": 91, "long": 0}}, "lat"),
    ({"type": "location", "coordinates": {"lat": 1}}, "long"),
    ({"type": "form", "fields": []}, "fields"),
    ({"type": "form", "fields": [{"type": "text", "name": "a", "label": "a"}] * 2}, "unique"),
    ({"type": "form", "fields": [{"type": "select", "name": "a", "label": "a"}]}, "options"),
    ({"type": "form", "fields": [{"type": "text", "name": "a", "label": "a", "minSize": 9, "maxSize": 8}]}, "minSize"),
    ({"type": "form", "fields": [{"type": "email", "name": "a", "label": "a", "maxSize": 8}]}, "maxSize"),
    ({"type": "form", "fields": [{"type": "date", "name": "a", "label": "a"}]}, "type"),
    ({"type": "template", "template": {"a": 1}}, "schema"),
    ({"type": "formResponse", "fields": [{"type": "text", "name": "a", "label": "a", "text": "b"}]}, "formResponse"),
]


@pytest.mark.parametrize(("sent", "told"), REFUSED)
def test_what_is_wrong_is_said(sent: dict[str, Any], told: str) -> None:
    body = msgspec.json.encode({"author": {"type": "business"}, "content": sent})
    with pytest.raises(DomainError, match=re.escape(told)) as refusal:
        decode_json(body, MessageBody).draft()
    assert refusal.value.kind == "invalid"


def test_what_is_nested_deeply_is_refused() -> None:
    deep: Any = {}
    for _ in range(40):
        deep = {"a": [deep]}
    for more in (
        {"content": {"type": "template", "template": deep}, "schema": "whatsapp"},
        {"content": {"type": "text", "text": "a"}, "override": {"whatsapp": {"payload": deep}}},
    ):
        body = msgspec.json.encode({"author": {"type": "business"}, **more})
        with pytest.raises(DomainError, match="nested too deeply"):
            decode_json(body, MessageBody).draft()
