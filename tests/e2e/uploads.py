"""Uploads as programs send them, over plain HTTP."""

from urllib.parse import urlsplit

from tests.e2e.acme import Acme, Reply, send

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
BOUNDARY = "----knownas-test"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
PUBLIC = "?access=public"
MEGABYTE = 1024 * 1024


def form(content: bytes, filename: str = "photo.png", kind: str = "image/png", field: str = "source") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{filename}"\r\n'
    return f"{head}Content-Type: {kind}\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def upload(acme: Acme, body: bytes, query: str = PUBLIC, **headers: str) -> Reply:
    return acme.v2("POST", f"/attachments{query}", body, **{"content_type": MULTIPART} | headers)


def attach(acme: Acme, content: bytes = PNG, *form_of: str, query: str = PUBLIC) -> str:
    """The address of what was uploaded."""
    made = upload(acme, form(content, *form_of), query)
    assert made.status == 201, made.body
    url: str = made.json["attachment"]["mediaUrl"]
    assert url.startswith(f"{acme.server.url}/attachments/{acme.app_id}/")
    return url


def fetch(url: str, method: str = "GET", **headers: str) -> Reply:
    """What a browser without credentials gets."""
    place = urlsplit(url)
    return send(f"http://{place.netloc}", method, place.path, **headers)


def title(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["errors"][0]["title"]
