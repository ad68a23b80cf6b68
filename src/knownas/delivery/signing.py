"""What vouches for a call: the Standard Webhooks signature, and FusionAuth's JWT with the keys that make it."""

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from knownas.webhooks.event_options import SigningAlgorithm, SigningKey

RSA_BITS: Final = 2048
KEYS_READY: Final = 256
_KEY_ID_BYTES: Final = 12


def sign(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    """The Standard Webhooks signature of one call. The key is the secret's text as UTF-8.

    To a library of that standard the secret is therefore `whsec_` and that text in base64.
    """
    signed = hmac.new(secret.encode(), f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


def signature_jwt(key: SigningKey, body: bytes) -> str:
    """`X-FusionAuth-Signature-JWT`: a token over the SHA-256 of exactly these bytes, and nothing else."""
    claims = {"request_body_sha256": base64.b64encode(hashlib.sha256(body).digest()).decode()}
    return jwt.encode(claims, _ready(key.private, key.algorithm), key.algorithm, headers={"kid": key.id})


@lru_cache(maxsize=KEYS_READY)
def _ready(private: str, algorithm: SigningAlgorithm) -> Any:
    """The key as the library wants it. A check of an RSA key holds the loop for 50 ms; ours comes out of a seal."""
    if algorithm == "HS256":
        return private
    return load_pem_private_key(private.encode(), None, unsafe_skip_rsa_key_validation=True)


def make_signing_key(algorithm: SigningAlgorithm) -> SigningKey:
    """A fresh key. RSA takes up to a second of computing: call it in a thread (`asyncio.to_thread`)."""
    key_id = secrets.token_urlsafe(_KEY_ID_BYTES)
    match algorithm:
        case "HS256":
            return SigningKey(key_id, algorithm, secrets.token_urlsafe(32))
        case "RS256":
            rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
            return SigningKey(key_id, algorithm, _pem(rsa_key), _jwk(key_id, algorithm, rsa_key.public_key()))
        case "ES256":
            ec_key = ec.generate_private_key(ec.SECP256R1())
            return SigningKey(key_id, algorithm, _pem(ec_key), _jwk(key_id, algorithm, ec_key.public_key()))
        case "EdDSA":
            okp_key = ed25519.Ed25519PrivateKey.generate()
            return SigningKey(key_id, algorithm, _pem(okp_key), _jwk(key_id, algorithm, okp_key.public_key()))


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _jwk(
    key_id: str,
    algorithm: SigningAlgorithm,
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey,
) -> dict[str, Any]:
    """The public half as receivers look it up (RFC 7517)."""
    spelled: dict[str, Any]
    if isinstance(key, rsa.RSAPublicKey):
        spelled = RSAAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        spelled = ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        spelled = OKPAlgorithm.to_jwk(key, as_dict=True)
    spelled.pop("key_ops", None)  # `use` says it already, and one of the two is enough (RFC 7517, 4.3)
    return {**spelled, "kid": key_id, "alg": algorithm, "use": "sig"}
