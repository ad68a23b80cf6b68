"""Attachments over HTTP: uploaded, served inertly to whoever knows the address, and removed."""

import http.client
import json
import re
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import sunshine_conversations_client as client

from tests.e2e.acme import Acme, Shop, basic, bearer, send
from tests.e2e.uploads import BOUNDARY, MULTIPART, PNG, PUBLIC, attach, fetch, form, title, upload


def conversation_of(acme: Acme, external_id: str) -> str:
    acme.v2("POST", "/users", {"externalId": external_id})
    made = acme.v2("POST", "/conversations", {"type": "personal", "participants": [{"userExternalId": external_id}]})
    assert made.status == 201, made.body
    return str(made.json["conversation"]["id"])


def test_what_is_uploaded_is_served_to_whoever_knows_the_address(acme: Acme) -> None:
    made = upload(acme, form(PNG, "Sommer für Ünal.png"))
    assert made.status == 201
    assert made.json["attachment"]["mediaType"] == "image/png"
    url = made.json["attachment"]["mediaUrl"]
    assert re.fullmatch(r"[0-9a-f]{64}", urlsplit(url).path.split("/")[3]), "256 bits that nobody guesses"
    assert url.endswith("/" + quote("Sommer für Ünal.png"))
    got = fetch(url)
    assert (got.status, got.body) == (200, PNG)
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"].startswith("inline; ")
    assert got.headers["content-disposition"].endswith("filename*=UTF-8''" + quote("Sommer für Ünal.png"))
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert "immutable" in got.headers["cache-control"]
    assert "set-cookie" not in got.headers


@pytest.mark.parametrize(
    "kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "image/png"]
)
def test_nothing_that_runs_is_served_as_such(acme: Acme, kind: str) -> None:
    got = fetch(attach(acme, b"<html><script>alert(1)</script></html>", "page.html", kind))
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment; ")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"


def test_parts_heads_and_what_is_known_already(acme: Acme) -> None:
    url = attach(acme)
    whole = fetch(url)
    head = fetch(url, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(PNG))
    assert head.headers["accept-ranges"] == "bytes"
    part = fetch(url, range="bytes=8-15")
    assert (part.status, part.body) == (206, PNG[8:16])
    assert part.headers["content-range"] == f"bytes 8-15/{len(PNG)}"
    assert fetch(url, range="bytes=-4").body == PNG[-4:]
    assert fetch(url, range="bytes=8-15", if_range='"another"').body == PNG
    outside = fetch(url, range=f"bytes={len(PNG)}-")
    assert (outside.status, outside.headers["content-range"]) == (416, f"bytes */{len(PNG)}")
    known = fetch(url, if_none_match=whole.headers["etag"])
    assert (known.status, known.body) == (304, b"")
    assert fetch(url, "POST").status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/attachments/{app}/{name}x/a",
        "/attachments/{app}/..%2f..%2fknownas.db/a",
        "/attachments/{app}/" + "0" * 64 + "/a",
        "/attachments/" + "0" * 24 + "/{name}/a",
        "/attachments/../{app}/{name}/a",
        "/attachments/{app}/%00/a",
        "/attachments/{app}",
    ],
)
def test_other_addresses_are_not_found(acme: Acme, path: str) -> None:
    name = attach(acme).split("/")[5]
    assert send(acme.server.url, "GET", path.replace("{app}", acme.app_id).replace("{name}", name)).status == 404


def test_the_filename_in_an_address_is_for_people_alone(acme: Acme) -> None:
    got = fetch(attach(acme).rpartition("/")[0] + "/evil.html/%22%2e%2e")
    assert (got.status, got.body) == (200, PNG)
    assert "photo.png" in got.headers["content-disposition"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "The query should have required property 'access'"),
        ("?access=private", "access should be public: private attachments are not supported"),
        ("?access=public&for=user", "for should be message: nothing else can contain an attachment"),
    ],
)
def test_a_query_that_cannot_be_met_says_why(acme: Acme, query: str, says: str) -> None:
    assert title(upload(acme, form(PNG), query)) == (400, says)


def test_bodies_that_hold_no_file_say_why(acme: Acme) -> None:
    assert "multipart/form-data" in title(upload(acme, b"{}", content_type="application/json"))[1]
    assert title(upload(acme, form(PNG, field="file"))) == (
        400, "The file should be in the field 'source', not in 'file'",
    )  # fmt: skip
    assert title(upload(acme, form(b""))) == (400, "The file is empty")
    two = form(PNG)[: -len(f"--{BOUNDARY}--\r\n")] + form(PNG)
    assert title(upload(acme, two)) == (400, "The multipart body has two files, and one attachment is one file")
    assert title(upload(acme, form(PNG)[:-10])) == (400, "The multipart body ends before its last boundary")
    assert upload(acme, b"nonsense").status == 400


def test_an_upload_needs_a_servers_key_of_the_app(acme: Acme, shop: Shop) -> None:
    url = f"/v2/apps/{acme.app_id}/attachments{PUBLIC}"
    sent = {"content_type": MULTIPART}
    assert acme.send("POST", url, form(PNG), None, **sent).error[:2] == (401, "unauthorized")
    assert acme.send("POST", url, form(PNG), bearer(acme.token("1234")), **sent).status == 403
    stranger = shop.new_app()
    assert acme.send("POST", url, form(PNG), stranger.as_backend, **sent).status == 403
    assert acme.send("POST", url, form(PNG), acme.as_account, **sent).status == 201


def test_a_removed_attachment_is_served_no_more(acme: Acme, shop: Shop) -> None:
    url, kept = attach(acme), attach(acme)
    stranger = shop.new_app()
    assert title(stranger.v2("POST", "/attachments/remove", {"mediaUrl": url})) == (404, "Attachment not found")
    elsewhere = url.replace(acme.app_id, stranger.app_id)
    assert title(acme.v2("POST", "/attachments/remove", {"mediaUrl": elsewhere})) == (404, "Attachment not found")
    assert acme.v2("POST", "/attachments/remove", {"mediaUrl": url}).json == {}
    assert fetch(url).status == 404
    assert title(acme.v2("POST", "/attachments/remove", {"mediaUrl": url})) == (404, "Attachment not found")
    assert fetch(kept).status == 200


@pytest.mark.parametrize(
    "url", ["https://badhost.com/image.png", "https://badhost.com{path}", "{url}?x", "x{url}", "", "file:///etc/passwd"]
)
def test_only_our_own_addresses_can_be_removed(acme: Acme, url: str) -> None:
    made = attach(acme)
    sent = url.replace("{path}", urlsplit(made).path).replace("{url}", made)
    refused = acme.v2("POST", "/attachments/remove", {"mediaUrl": sent})
    assert title(refused) == (400, f"Unsupported media URL for attachment deletion: {sent}")
    assert fetch(made).status == 200
    assert title(acme.v2("POST", "/attachments/remove", {})) == (400, "should have required property 'mediaUrl'")


def test_an_attachment_goes_with_its_message_conversation_or_user(acme: Acme) -> None:
    conversation = conversation_of(acme, "1234")
    of_conversation = f"{PUBLIC}&for=message&conversationId={conversation}"
    shown, waiting = attach(acme, query=PUBLIC + "&for=message"), attach(acme, query=of_conversation)
    content = {"type": "image", "mediaUrl": shown}
    posted = acme.v2(
        "POST", f"/conversations/{conversation}/messages", {"author": {"type": "business"}, "content": content}
    )
    assert posted.status == 201, posted.body
    message = posted.json["messages"][0]["id"]
    assert acme.v2("DELETE", f"/conversations/{conversation}/messages/{message}").status == 200
    assert [fetch(url).status for url in (shown, waiting)] == [404, 200]
    assert acme.v2("DELETE", "/users/1234").status == 200
    assert fetch(waiting).status == 404
    assert upload(acme, form(PNG), of_conversation).error[:2] == (404, "conversation_not_found")


def test_the_official_client_uploads_and_removes(acme: Acme, tmp_path: Path) -> None:
    (tmp_path / "Quittung.pdf").write_bytes(b"%PDF-1.7 receipt")
    configuration = client.Configuration(host=acme.server.url, username=acme.key.id, password=acme.key.secret)
    with client.ApiClient(configuration) as connection:
        api = client.AttachmentsApi(connection)
        made = api.upload_attachment(acme.app_id, "public", str(tmp_path / "Quittung.pdf"), var_for="message")
        assert made.attachment.media_type == "application/pdf"
        assert fetch(made.attachment.media_url).body == b"%PDF-1.7 receipt"
        api.delete_attachment(acme.app_id, client.AttachmentDeleteBody(media_url=made.attachment.media_url))
        with pytest.raises(client.exceptions.NotFoundException):
            api.delete_attachment(acme.app_id, client.AttachmentDeleteBody(media_url=made.attachment.media_url))


# What needs a channel that is not there.

APPLE = {"interactiveDataRef": {"url": "https://a", "bid": "b", "key": "c", "signature": "d", "owner": "e"}}
EVENTS = {"payload": {"data": [{"event_name": "TestEvent"}]}}


def test_operations_of_channels_that_are_not_connected_say_so(acme: Acme) -> None:
    conversation = conversation_of(acme, "1234")
    user = acme.user("1234")["id"]
    acme.v2("POST", "/users", {"externalId": "another"})
    download, events = (f"/conversations/{conversation}/{name}" for name in ("download", "conversionEvents"))
    nowhere = f"/conversations/{'0' * 24}"
    for path, body, error in (
        (download, {"userId": user, "apple": APPLE}, (501, "not_implemented")),
        (download, {"userId": user, "apple": {}}, (400, "bad_request")),
        (download, {"apple": APPLE}, (400, "bad_request")),
        (download, {"userId": "0" * 24, "apple": APPLE}, (404, "user_not_found")),
        (download, {"userId": acme.user("another")["id"], "apple": APPLE}, (404, "not_found")),
        (f"{nowhere}/download", {"userId": user, "apple": APPLE}, (404, "conversation_not_found")),
        (events, {"instagram": EVENTS}, (501, "not_implemented")),
        (events, {"whatsapp": EVENTS}, (501, "not_implemented")),
        (events, {"instagram": {"payload": {}}}, (400, "bad_request")),
        (events, {"instagram": EVENTS, "whatsapp": EVENTS}, (400, "bad_request")),
        (events, {}, (400, "bad_request")),
        (f"{nowhere}/conversionEvents", {"messenger": EVENTS}, (404, "conversation_not_found")),
    ):
        reply = acme.v2("POST", path, body)
        assert reply.error[:2] == error, (path, body, reply.body)
        assert acme.v2("POST", path, body, bearer(acme.token("1234"))).status == 403


def test_two_authorization_headers_are_none(acme: Acme) -> None:
    place = urlsplit(acme.server.url)
    with closing(http.client.HTTPConnection(str(place.hostname), place.port, timeout=10)) as connection:
        connection.putrequest("GET", f"/v2/apps/{acme.app_id}")
        connection.putheader("authorization", acme.as_backend)
        connection.putheader("Authorization", basic("app_x", "y"))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 400
        assert json.loads(answer.read())["errors"][0]["title"] == "The request has more than one Authorization header"
