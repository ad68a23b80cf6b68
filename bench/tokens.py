"""JWTs signed by hand (HS256), because a signing library would cost more than the window it feeds."""

import hmac
import itertools
import json
import time
from base64 import urlsafe_b64encode


def _segment(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


class Signer:
    """Signs as one key of the app. Every token of a user is new: its `jti` counts up."""

    def __init__(self, key_id: str, secret: str) -> None:
        header = {"alg": "HS256", "typ": "JWT", "kid": key_id}
        self._header = _segment(json.dumps(header, separators=(",", ":")).encode()) + b"."
        self._secret = secret.encode()
        self._serial = itertools.count(1)

    def app(self) -> str:
        return self._sign({"scope": "app"})

    def user(self, external_id: str, email: str) -> str:
        claims = {"scope": "user", "external_id": external_id, "email": email, "email_verified": True}
        return self._sign({**claims, "iat": int(time.time()), "jti": f"{next(self._serial):x}"})

    def _sign(self, claims: dict[str, object]) -> str:
        signed = self._header + _segment(json.dumps(claims, separators=(",", ":")).encode())
        return (signed + b"." + _segment(hmac.digest(self._secret, signed, "sha256"))).decode()
