"""Which tokens are believed, and that every refusal has its own cause (RFC 8725; field.md 4.2)."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from knownas.keys import Key, WeakKey, check_public_key, is_key_id
from knownas.keys.explain import explain
from knownas.keys.parts import read
from knownas.keys.refusals import CAUSES, TokenRefused
from knownas.keys.tokens import PreparedKey, ServerClaims, UserClaims, prepare, verify

NOW = 1_750_000_000.0
SECRET = "correct-horse-battery-staple-of-43-characters"
APP = "app_" + "0123456789ab" * 2
KID = APP
USER: dict[str, Any] = {"scope": "user", "external_id": "1234"}


def key_for(kid: str = KID, secret: str = SECRET) -> Key:
    return Key(kid, "account", "app" if kid.startswith(("app", "int")) else None, None, "HS256", "k", 0, None, secret)


def prepared(kid: str = KID) -> PreparedKey:
    return prepare(key_for(kid))


def b64(data: bytes | str) -> str:
    return urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def raw(header: Any, body: Any, secret: str = SECRET) -> str:
    """A token with a right signature over whatever is given; text and bytes go in as they are."""
    parts = [b64(part if isinstance(part, str | bytes) else json.dumps(part)) for part in (header, body)]
    signed = ".".join(parts)
    return f"{signed}.{b64(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


def with_header(**members: Any) -> str:
    header = {"alg": "HS256", "typ": "JWT", "kid": KID, **members}
    return raw({name: value for name, value in header.items() if value is not ...}, USER)


def with_body(kid: str = KID, **members: Any) -> str:
    body = {**USER, **members}
    return raw({"alg": "HS256", "kid": kid}, {name: value for name, value in body.items() if value is not ...})


def with_text(body: str | bytes) -> str:
    return raw({"alg": "HS256", "kid": KID}, body)


def pem(public: Any) -> str:
    return str(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


GOOD = with_body()
HEAD, BODY, SIGNATURE = GOOD.split(".")
RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()

HOSTILE = [
    ("jwt.too_large", GOOD + "A" * 8192),
    ("jwt.segments", ""),
    ("jwt.segments", "a.b"),
    ("jwt.segments", GOOD + ".x"),
    ("jwt.base64", f"{HEAD}=.{BODY}.{SIGNATURE}"),
    ("jwt.base64", f"{HEAD}.{BODY}.{SIGNATURE}="),
    ("jwt.base64", f"{HEAD}.{BODY}.{SIGNATURE}\n"),
    ("jwt.base64", f"{HEAD}.{BODY}.{SIGNATURE[:-1]}{chr(ord(SIGNATURE[-1]) + 1)}"),
    ("jwt.base64", f"{HEAD}.{BODY}.!!!!"),
    ("jwt.base64", f"{HEAD}.{BODY}.++//"),
    ("jwt.base64", "é.b.c"),
    ("jwt.base64", "\ud800.b.c"),
    ("jwt.base64", "a.b.c"),
    ("jwt.json", ".."),
    ("jwt.utf8", raw(b'{"kid":"\xff"}', USER)),
    ("jwt.utf8", with_text(b'{"scope":"user","external_id":"\xed\xa0\x80"}')),
    ("jwt.json", raw("nope", USER)),
    ("jwt.json", raw("\ufeff{}", USER)),
    ("jwt.json", with_text('{"exp": NaN}')),
    ("jwt.json", with_text('{"exp": Infinity}')),
    ("jwt.json", with_text('{"exp": ' + "9" * 5000 + "}")),
    ("jwt.not_object", raw("[]", USER)),
    ("jwt.not_object", with_text("null")),
    ("jwt.duplicate", raw('{"alg":"none","alg":"HS256"}', USER)),
    ("jwt.duplicate", with_text('{"scope":"user","external_id":"1","external_id":"2"}')),
    ("jwt.duplicate", with_text('{"scope":"user","external_id":"1","x":[{"a":1,"\\u0061":2}]}')),
    ("jwt.too_deep", raw("[" * 6000, USER)),
    ("jwt.too_deep", with_text('{"a":' * 17 + "1" + "}" * 17)),
    ("jwt.too_deep", raw("[" * 17 + '"\\"' * 1500, USER)),
    ("jwt.crit", with_header(crit=["exp"])),
    ("jwt.crit", with_header(crit=[])),
    ("jwt.crit", with_header(b64=False)),
    ("jwt.key_source", with_header(jku="https://evil.example/keys")),
    ("jwt.key_source", with_header(x5u="https://evil.example/cert")),
    ("jwt.key_source", with_header(jwk={"kty": "oct", "k": "AA"})),
    ("jwt.key_source", with_header(x5c=["MIIB"])),
    ("jwt.kid.missing", with_header(kid=...)),
    ("jwt.kid.not_string", with_header(kid=5)),
    ("jwt.kid.not_string", with_header(kid=None)),
    ("jwt.kid.unknown", with_header(kid="../../../../dev/null")),
    ("jwt.kid.unknown", with_header(kid="x' UNION SELECT 'secret")),
    ("jwt.kid.unknown", with_header(kid="k" * 5000)),
    ("jwt.kid.unknown", with_header(kid=KID + "\x00")),
    ("jwt.kid.unknown", with_header(kid=KID + "\n")),
    ("jwt.kid.unknown", with_header(kid=KID.upper())),
    ("jwt.kid.unknown", with_header(kid="app_" + "f" * 24)),
    ("jwt.alg.missing", with_header(alg=...)),
    ("jwt.alg.missing", with_header(alg=["HS256"])),
    ("jwt.alg.none", with_header(alg="none")),
    ("jwt.alg.none", with_header(alg="nOnE")),
    ("jwt.alg.none", with_header(alg=" NONE ")),
    ("jwt.alg.mismatch", with_header(alg="HS512")),
    ("jwt.alg.mismatch", with_header(alg="hs256")),
    ("jwt.alg.mismatch", with_header(alg="RS256")),
    ("jwt.alg.mismatch", with_header(alg="")),
    ("jwt.signature", f"{HEAD}.{BODY}."),
    ("jwt.signature", f"{HEAD}.{b64(json.dumps({**USER, 'external_id': 'admin'}))}.{SIGNATURE}"),
    ("jwt.signature", raw({"alg": "HS256", "kid": KID}, USER, "another secret that is long enough for it")),
    ("jwt.exp.expired", with_body(exp=NOW - 60)),
    ("jwt.exp.expired", with_body(exp="1542499200")),
    ("jwt.exp.expired", with_body(exp=0)),
    ("jwt.exp.malformed", with_body(exp=True)),
    ("jwt.exp.malformed", with_body(exp=None)),
    ("jwt.exp.malformed", with_body(exp="NaN")),
    ("jwt.exp.malformed", with_body(exp="Infinity")),
    ("jwt.exp.malformed", with_body(exp="1_750_000_000")),
    ("jwt.exp.malformed", with_body(exp="2030-01-01")),
    ("jwt.exp.malformed", with_body(exp="١٧٥٠٠٠٠٩٩٩")),
    ("jwt.exp.malformed", with_body(exp=[1])),
    ("jwt.exp.malformed", with_text('{"scope":"user","external_id":"1","exp":1e999}')),
    ("jwt.exp.malformed", with_body(exp=10**400)),
    ("jwt.exp.malformed", with_body(exp=253_402_300_800)),
    ("jwt.nbf.future", with_body(nbf=NOW + 61)),
    ("jwt.nbf.malformed", with_body(nbf={})),
    ("jwt.iat.future", with_body(iat=NOW + 61)),
    ("jwt.iat.malformed", with_body(iat=False)),
    ("jwt.scope.missing", with_body(scope=...)),
    ("jwt.scope.unknown", with_body(scope="User")),
    ("jwt.scope.unknown", with_body(scope=["user"])),
    ("jwt.scope.wrong_key", with_body(scope="account")),
    ("jwt.scope.wrong_key", with_body(scope="integration")),
    ("jwt.external_id.missing", with_body(external_id=...)),
    ("jwt.external_id.missing", with_body(external_id=None)),
    ("jwt.external_id.empty", with_body(external_id="")),
    ("jwt.external_id.not_string", with_body(external_id=1234)),
    ("jwt.external_id.not_string", with_body(external_id=True)),
    ("jwt.external_id.not_string", with_body(external_id=["1234"])),
    ("jwt.external_id.not_string", with_body(external_id=..., userId=1234)),
    ("jwt.external_id.too_long", with_body(external_id="x" * 256)),
    ("jwt.external_id.unsafe", with_body(external_id="a\x00b")),
    ("jwt.external_id.unsafe", with_body(external_id="a\nb")),
    ("jwt.external_id.unsafe", with_text('{"scope":"user","external_id":"\\ud800"}')),
    ("jwt.external_id.ambiguous", with_body(userId="5678")),
    ("jwt.email.not_string", with_body(email=5)),
    ("jwt.unstorable", with_body(name="Ada\x00")),
    ("jwt.unstorable", with_body(email="\ud800@example.com")),
    ("jwt.name.not_string", with_body(name=["Ada"])),
    ("jwt.unstorable", with_body(name="\udfff")),
]


def cause_of(token: str, **options: Any) -> str:
    with pytest.raises(TokenRefused) as refused:
        verify(read(token), prepared(), NOW, **options)
    assert (refused.value.kind, refused.value.code) == ("unauthenticated", "invalid_auth")
    return refused.value.cause


@pytest.mark.parametrize(
    ("cause", "token"), HOSTILE, ids=[f"{cause}-{number}" for number, (cause, _) in enumerate(HOSTILE)]
)
def test_each_hostile_token_is_refused_for_its_own_cause(cause: str, token: str) -> None:
    assert cause_of(token) == cause


def test_every_cause_is_tried() -> None:
    elsewhere = {"jwt.exp.missing", "jwt.key.other_app", "jwt.scope.not_user", "jwt.unchecked"}
    assert {cause for cause, _ in HOSTILE} | elsewhere == set(CAUSES)


def test_an_app_may_require_an_expiry() -> None:
    assert cause_of(GOOD, require_exp=True) == "jwt.exp.missing"
    assert isinstance(verify(read(with_body(exp=NOW)), prepared(), NOW, require_exp=True), UserClaims)


def test_a_key_of_another_app_is_refused() -> None:
    assert cause_of(GOOD, app_id="other") == "jwt.key.other_app"
    assert isinstance(verify(read(GOOD), prepared(), NOW, app_id="app"), UserClaims)


def test_the_vendors_own_texts_are_kept() -> None:
    with pytest.raises(TokenRefused, match=r"^Invalid JWT header\. Missing key id \(kid\)$"):
        read(with_header(kid=...))
    with pytest.raises(TokenRefused, match=r"^Invalid JWT body\. Cannot use account scope with app secret key$"):
        verify(read(with_body(scope="account")), prepared(), NOW)


def test_a_number_as_external_id_is_refused_with_a_worked_example() -> None:
    with pytest.raises(TokenRefused, match=r'"external_id": "1234", not "external_id": 1234'):
        verify(read(with_body(external_id=1234)), prepared(), NOW)


def test_a_user_token_says_who_the_user_is() -> None:
    token = with_body(email="ada@example.com", email_verified=True, name="Ada", exp=str(int(NOW) + 5), iat=NOW - 1)
    expected = UserClaims(KID, "app", "1234", "ada@example.com", True, "Ada", NOW + 5, NOW - 1)
    assert verify(read(token), prepared(), NOW) == expected
    assert expected.verified_email == "ada@example.com"


@pytest.mark.parametrize("verified", ["true", 1, None, False, [True], {}])
def test_only_json_true_verifies_an_email(verified: Any) -> None:
    claims = verify(read(with_body(email="ada@example.com", email_verified=verified)), prepared(), NOW)
    assert isinstance(claims, UserClaims)
    assert (claims.email, claims.email_verified, claims.verified_email) == ("ada@example.com", False, None)


@pytest.mark.parametrize("email", [None, "", "  "])
def test_null_and_blank_emails_are_no_emails(email: str | None) -> None:
    claims = verify(read(with_body(email=email, email_verified=True)), prepared(), NOW)
    assert isinstance(claims, UserClaims)
    assert (claims.email, claims.verified_email) == (None, None)


def test_older_tokens_are_understood() -> None:
    token = with_body(scope="appUser", external_id=..., userId="1234")
    claims = verify(read(token), prepared(), NOW)
    assert isinstance(claims, UserClaims)
    assert claims.external_id == "1234"
    assert isinstance(verify(read(with_body(userId="1234")), prepared(), NOW), UserClaims)


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("off", [-120, -61, -60, -59, 0, 59, 60, 61, 120])
def test_clocks_may_differ_by_a_minute(claim: str, off: int) -> None:
    refused = off <= -60 if claim == "exp" else off > 60
    members: dict[str, Any] = {claim: NOW + off}
    token = with_body(**members)
    if refused:
        assert cause_of(token) == ("jwt.exp.expired" if claim == "exp" else f"jwt.{claim}.future")
    else:
        verify(read(token), prepared(), NOW)


@pytest.mark.parametrize("prefix", ["app", "act", "svc", "int"])
@pytest.mark.parametrize("scope", ["user", "appUser", "app", "account", "integration"])
def test_a_scope_is_only_for_its_own_kind_of_key(prefix: str, scope: str) -> None:
    allowed = {"app": ("user", "appUser", "app"), "act": ("account",), "svc": ("account",), "int": ("integration",)}
    kid = f"{prefix}_{'ab' * 12}"
    token = with_body(kid, scope=scope)
    if scope not in allowed[prefix]:
        with pytest.raises(TokenRefused) as refused:
            verify(read(token), prepared(kid), NOW)
        assert refused.value.cause == "jwt.scope.wrong_key"
    else:
        claims = verify(read(token), prepared(kid), NOW)
        assert isinstance(claims, UserClaims if scope in ("user", "appUser") else ServerClaims)


@pytest.mark.parametrize(("private", "algorithm"), [(RSA, "RS256"), (P256, "ES256"), (ED, "EdDSA")])
def test_registered_public_keys_verify_their_own_algorithm_only(private: Any, algorithm: str) -> None:
    found, canonical = check_public_key(pem(private.public_key()))
    assert found == algorithm
    key = prepare(Key(KID, "account", "app", None, found, "k", 0, canonical))
    assert isinstance(verify(read(jwt.encode(USER, private, algorithm, headers={"kid": KID})), key, NOW), UserClaims)
    # CVE-2016-10555, CVE-2022-29217: the public key's text as an HMAC secret.
    for secret in (canonical, canonical.strip()):
        with pytest.raises(TokenRefused) as refused:
            verify(read(raw({"alg": "HS256", "kid": KID}, USER, secret)), key, NOW)
        assert refused.value.cause == "jwt.alg.mismatch"
        with pytest.raises(TokenRefused) as refused:
            verify(read(raw({"alg": algorithm, "kid": KID}, USER, secret)), key, NOW)
        assert refused.value.cause == "jwt.signature"
    # CVE-2022-21449: a signature of zeros.
    head = b64(json.dumps({"alg": algorithm, "kid": KID}))
    for size in (0, 1, 64, 256):
        with pytest.raises(TokenRefused) as refused:
            verify(read(f"{head}.{BODY}.{b64(bytes(size))}"), key, NOW)
        assert refused.value.cause == "jwt.signature"


def test_weak_and_foreign_keys_are_refused() -> None:
    private = P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    refused = [
        private,
        pem(rsa.generate_private_key(65537, 1024).public_key()),  # noqa: S505
        pem(ec.generate_private_key(ec.SECP384R1()).public_key()),
        "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----",
        pem(ED.public_key()) + private,
        pem(ED.public_key()) * 2,
        "ssh-ed25519 AAAA",
        "",
        "é",
    ]
    for text in refused:
        with pytest.raises(WeakKey):
            check_public_key(text)
    for secret in ("", "short", pem(ED.public_key()), '{"kty":"oct","k":"' + "A" * 43 + '"}'):
        with pytest.raises(WeakKey):
            prepare(key_for(secret=secret))


def test_a_key_never_shows_its_secret() -> None:
    key = key_for()
    for shown in (
        repr(key),
        str(key),
        repr(prepare(key)),
        repr(key.__rich_repr__()),
        repr(prepare(key).__rich_repr__()),
    ):
        assert SECRET not in shown


def test_key_ids_have_one_shape() -> None:
    assert is_key_id(KID)
    assert not any(map(is_key_id, ("", KID + "\n", KID[:-1], "usr_" + KID[4:], KID.upper())))


def test_an_explanation_says_what_could_not_be_checked() -> None:
    found = explain(GOOD, None, NOW)
    assert (found.accepted, found.cause, found.header["kid"]) == (False, "jwt.unchecked", KID)
    assert "has no exp: valid until its key is deleted" in found.notes
    assert explain(GOOD, key_for(), NOW).accepted
    assert explain(with_header(alg="HS512"), None, NOW).cause == "jwt.alg.mismatch"
    assert explain(GOOD, key_for(secret="short"), NOW).cause == "key.weak"


def test_an_explanation_helps() -> None:
    token = with_body(external_id=1234, email="ada@example.com", exp=str(int(NOW) + 3 * 3600 + 5))
    notes = explain(token, None, NOW).notes
    assert f"exp is written as a string: read as {int(NOW) + 3 * 3600 + 5}" in notes
    assert "expires in 3 hours" in notes
    assert 'external_id is a number: send it as a string, "external_id": "1234"' in notes
    assert any(note.startswith("email without email_verified: true is only a label") for note in notes)
    assert "expired 1 hour ago" in explain(with_body(exp=NOW - 3600), None, NOW).notes
    assert "exp looks like milliseconds: it must be seconds" in explain(with_body(exp=NOW * 1000), None, NOW).notes


@pytest.mark.parametrize(
    "token", [GOOD, *(token for _, token in HOSTILE), with_header(kid=SECRET), with_body(x=[SECRET])]
)
def test_an_explanation_holds_neither_secret_nor_signature(token: str) -> None:
    for key in (None, key_for()):
        found = explain(token, key, NOW)
        shown = repr(found).encode("utf-8").decode()
        assert found.message
        assert SECRET not in shown or (key is None and "x" in found.claims)
        assert SIGNATURE not in shown
