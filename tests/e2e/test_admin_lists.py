"""Every list of the admin API has pages of one kind: walked in bites, it is the same list, each record once."""

from typing import Any

import pytest

from tests.e2e.acme import Acme, new_email, new_external_id

LISTS = {
    "/conflicts": "conflicts",
    "/users/{user}/merges": "merges",
    "/users/{user}/provenance": "identities",
    "/audit": "entries",
    "/erasures": "erasures",
    "/events": "events",
    "/webhooks": "webhooks",
}


def ask(acme: Acme, method: str, path: str, body: Any = None) -> Any:
    reply = acme.send(method, f"/admin/v1/apps/{acme.app_id}{path}", body, acme.as_backend)
    assert reply.status in (200, 201), reply.body
    return reply.json


def act(acme: Acme, **request: str) -> Any:
    plan = ask(acme, "POST", "/plans", request)["plan"]["id"]
    return ask(acme, "POST", f"/plans/{plan}/execute", {"reason": "ticket 4711"})["done"]


@pytest.fixture
def user(acme: Acme) -> str:
    """Three of everything, with somebody who was merged three times."""
    survivor, email = new_external_id(), new_email()
    acme.log_in(acme.token(survivor, email))
    for _ in range(3):
        other, erased = new_external_id(), new_external_id()
        for one in (other, erased):
            acme.log_in(acme.token(one))
        assert acme.log_in(acme.token(new_external_id(), email)).status == 409
        act(acme, kind="merge", surviving=survivor, discarded=other)
        act(acme, kind="delete", user=erased)
        hook = {"url": "https://example.org/", "eventsEnabled": ["user.loginId.duplicate.create"]}
        ask(acme, "POST", "/webhooks", hook)
    return survivor


def test_a_list_in_bites_is_the_whole_list(acme: Acme, user: str) -> None:
    for path, name in LISTS.items():
        place = path.format(user=user)
        whole = ask(acme, "GET", f"{place}?limit=100")
        assert not whole["hasMore"], path
        assert len(whole[name]) >= 3, path
        for size in (1, 2, len(whole[name])):
            walked: list[Any] = []
            page: Any = {"hasMore": True, "next": None}
            while page["hasMore"]:
                after = "" if page["next"] is None else f"&after={page['next']}"
                page = ask(acme, "GET", f"{place}?limit={size}{after}")
                assert 1 <= len(page[name]) <= size, path
                walked += page[name]
            if name == "webhooks":  # how their calls fare changes meanwhile
                assert [one["id"] for one in walked] == [one["id"] for one in whole[name]], path
            else:
                assert walked == whole[name], path
            assert page["next"] == whole["next"], path
        beyond = ask(acme, "GET", f"{place}?after={whole['next']}")
        assert (beyond[name], beyond["hasMore"], beyond["next"]) == ([], False, whole["next"]), path


def test_merges_are_listed_oldest_first_with_those_of_who_is_one_with_her(acme: Acme, user: str) -> None:
    merges = ask(acme, "GET", f"/users/{user}/merges")["merges"]
    assert [one["createdAt"] for one in merges] == sorted(one["createdAt"] for one in merges)
    act(acme, kind="undo", actId=merges[-1]["id"])
    of_discarded = ask(acme, "GET", f"/users/{merges[0]['discarded']}/merges")["merges"]
    assert [one["id"] for one in of_discarded] == [one["id"] for one in merges]
    assert [one["undoneAt"] is None for one in of_discarded] == [True, True, False]
    of_restored = ask(acme, "GET", f"/users/{merges[-1]['discarded']}/merges")["merges"]
    assert [one["id"] for one in of_restored] == [merges[-1]["id"]]


def test_a_parameter_that_there_is_not_is_refused_and_lists_nothing(acme: Acme, user: str) -> None:
    for path in (*LISTS, "/policy", "/audit/verify"):
        reply = acme.send(
            "GET", f"/admin/v1/apps/{acme.app_id}{path.format(user=user)}?stat=open", None, acme.as_backend
        )
        assert reply.error[:2] == (400, "bad_request"), path
        assert "There is no parameter stat here" in reply.json["error"]["message"]


def test_the_log_is_checked_over_http_stretch_by_stretch(acme: Acme, user: str) -> None:
    whole = ask(acme, "GET", "/audit/verify")
    assert (whole["entries"], whole["broken"], whole["hasMore"]) == (6, None, False)
    head, entries = "", 0
    while True:
        some = ask(acme, "GET", f"/audit/verify?limit=4&expected={whole['head']}{head and '&after='}{head}")
        assert some["broken"] is None
        head, entries = some["next"], entries + some["entries"]
        if not some["hasMore"]:
            break
    assert (head, entries) == (whole["head"], 6)
    last = ask(acme, "GET", "/audit?after=5")["entries"][0]
    assert whole["head"] == f"{last['number']}-{last['hash']}"
    other = f"{last['number']}-{'0' * 64}"
    assert "noted down" in ask(acme, "GET", f"/audit/verify?expected={other}")["broken"]
    for wrong in ("zz", last["hash"], f"0-{last['hash']}"):
        reply = acme.send("GET", f"/admin/v1/apps/{acme.app_id}/audit/verify?expected={wrong}", None, acme.as_backend)
        assert reply.error[:2] == (400, "bad_request")
        assert "A head is" in reply.json["error"]["message"]
