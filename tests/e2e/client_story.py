"""The story of design section 1, told through the official Python client, whichever version is on the path.

Run as a program, it reads one JSON document (where the server is, and keys) from standard input, tells every chapter,
and writes one JSON document: the client's version, what went wrong in each chapter, and the secrets that were seen.
"""

import json
import sys
import traceback
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import sunshine_conversations_client as sc

# 16.0.1 looks for a model named "dict" and so fails on any user's metadata, the vendor's own `{}` included. This mends
# that one name in it; everything else of the client is as published.
if sc.__version__.startswith("16."):
    sc.model.dict = object

secrets: set[str] = set()
CHAPTERS: dict[str, Callable[["World"], None]] = {}


def chapter(told: Callable[["World"], None]) -> Callable[["World"], None]:
    CHAPTERS[told.__name__] = told
    return told


class World:
    """The app, and one client per way of proving who calls."""

    def __init__(self, given: dict[str, str]) -> None:
        self.host, self.app, self.other_app = given["host"], given["app"], given["other_app"]
        self.key, self.secret = given["key"], given["secret"]
        self.account_key, self.account_secret = given["account_key"], given["account_secret"]
        self.api = self.client(username=self.key, password=self.secret)
        self.users = sc.UsersApi(self.api)

    def client(self, host: str | None = None, **credentials: str) -> Any:
        token = credentials.pop("access_token", None)
        configuration = sc.Configuration(host=host or self.host, **credentials)
        if token:
            configuration.access_token = token  # 16.0.1 takes it as an attribute only
        return sc.ApiClient(configuration)

    def account(self) -> Any:
        return self.client(username=self.account_key, password=self.account_secret)

    def sign(self, claims: dict[str, Any], key: str = "", secret: str = "") -> str:
        token = jwt.encode(claims, secret or self.secret, "HS256", headers={"kid": key or self.key})
        secrets.add(token)
        return token

    def log_in(self, external_id: str, guid: str = "", email: str = "", **claims: Any) -> tuple[int, Any]:
        """A device's login over the SDK API, for which the official client has no call."""
        stated = {"scope": "user", "external_id": external_id, **claims}
        if email:
            stated |= {"email": email, "email_verified": True}
        body = {"userId": external_id, "client": {"id": guid or uuid.uuid4().hex, "platform": "ios"}}
        return self.send("POST", f"/sdk/v2/apps/{self.app}/login", body, f"Bearer {self.sign(stated)}")

    def send(self, method: str, path: str, body: Any, authorization: str) -> tuple[int, Any]:
        request = urllib.request.Request(
            self.host + path,
            json.dumps(body).encode(),
            {"authorization": authorization, "content-type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read())


def someone() -> str:
    return f"customer-{uuid.uuid4().hex[:10]}"


def an_email() -> str:
    email = f"{uuid.uuid4().hex[:12]}@example.org"
    secrets.add(email)
    return email


def refusal_of(call: Callable[[], Any], status: int, kind: str) -> dict[str, Any]:
    """The first error of a call that must fail, as the client's own class of error where it has one."""
    try:
        answer = call()
    except sc.ApiException as raised:
        refusal = raised
    else:
        raise AssertionError(f"accepted: {answer}")
    assert refusal.status == status, (refusal.status, refusal.body)
    own_class = getattr(sc.exceptions, kind, None)
    assert own_class is None or type(refusal) is own_class, type(refusal)
    error: dict[str, Any] = json.loads(refusal.body)["errors"][0]
    return error


@chapter
def a_backend_creates_and_finds_a_user(world: World) -> None:
    external_id, email = someone(), an_email()
    body = sc.UserCreateBody(
        external_id=external_id,
        signed_up_at="2024-02-29T12:34:56.789Z",
        to_be_retained=True,
        profile=sc.Profile(
            given_name="Ada", surname="Lovelace", email=email, avatar_url="https://example.org/a.png", locale="en-GB"
        ),
        metadata={"plan": "pro", "visits": 3, "vip": True, "ratio": 0.5},
    )
    made = world.users.create_user(world.app, body).user
    assert made.external_id == external_id
    assert made.authenticated is False
    assert made.identities == []
    assert made.to_be_retained is True
    assert str(made.signed_up_at).startswith("2024-02-29"), made.signed_up_at
    assert (made.profile.given_name, made.profile.surname) == ("Ada", "Lovelace")
    assert (made.profile.email, made.profile.locale) == (email, "en-GB")
    assert made.profile.avatar_url == "https://example.org/a.png"
    assert made.metadata == {"plan": "pro", "visits": 3, "vip": True, "ratio": 0.5}
    assert world.users.get_user(world.app, made.id).user == made
    assert world.users.get_user(world.app, external_id).user == made


@chapter
def a_bearer_token_of_app_scope_does_as_well_as_basic(world: World) -> None:
    token = world.sign({"scope": "app"})
    users = sc.UsersApi(world.client(access_token=token))
    made = users.create_user(world.app, sc.UserCreateBody(external_id=someone())).user
    assert users.get_user(world.app, made.id).user == world.users.get_user(world.app, made.id).user


@chapter
def updates_merge_and_null_clears(world: World) -> None:
    made = world.users.create_user(
        world.app,
        sc.UserCreateBody(
            external_id=someone(), profile=sc.Profile(given_name="Ada", surname="Byron"), metadata={"a": 1, "b": "x"}
        ),
    ).user
    changed = world.users.update_user(
        world.app, made.id, sc.UserUpdateBody(profile=sc.Profile(surname="Lovelace"), metadata={"b": "y", "c": False})
    ).user
    assert (changed.profile.given_name, changed.profile.surname) == ("Ada", "Lovelace")
    assert changed.metadata == {"a": 1, "b": "y", "c": False}
    # Neither client writes a null inside metadata for certain, so the wire does.
    basic = world.api.configuration.get_basic_auth_token()
    status, answer = world.send(
        "PATCH",
        f"/v2/apps/{world.app}/users/{made.id}",
        {"metadata": {"a": None}, "profile": {"givenName": None}},
        basic,
    )
    assert status == 200, answer
    cleared = world.users.get_user(world.app, made.external_id).user
    assert cleared.metadata == {"b": "y", "c": False}
    assert (cleared.profile.given_name, cleared.profile.surname) == (None, "Lovelace")
    world.users.update_user(world.app, made.id, sc.UserUpdateBody(to_be_retained=True))
    kept = world.users.get_user(world.app, made.id).user
    assert kept.to_be_retained is True
    assert kept.metadata == {"b": "y", "c": False}


@chapter
def a_taken_external_id_is_a_conflict(world: World) -> None:
    body = sc.UserCreateBody(external_id=someone())
    world.users.create_user(world.app, body)
    error = refusal_of(lambda: world.users.create_user(world.app, body), 409, "ConflictException")
    assert (error["code"], error["title"]) == ("conflict", "User already exists")


@chapter
def two_devices_show_one_user_and_one_client(world: World) -> None:
    external_id, email = someone(), an_email()
    made = world.users.create_user(world.app, sc.UserCreateBody(external_id=external_id)).user
    phone, tablet = uuid.uuid4().hex, uuid.uuid4().hex
    for guid in (phone, tablet):
        status, state = world.log_in(external_id, guid, email, name="Ada Lovelace")
        assert (status, state["appUser"]["_id"]) == (200, made.id), state
    user = world.users.get_user(world.app, external_id).user
    assert user.authenticated is True
    assert [(identity.type, identity.value) for identity in user.identities] == [("email", email)]
    assert (user.profile.given_name, user.profile.surname) == ("Ada", "Lovelace")

    devices_api, clients_api = sc.DevicesApi(world.api), sc.ClientsApi(world.api)
    devices = devices_api.list_devices(world.app, external_id).devices
    assert {(device.guid, device.type, device.status) for device in devices} == {
        (phone, "ios", "active"),
        (tablet, "ios", "active"),
    }
    clients = clients_api.list_clients(world.app, made.id, page=sc.Page(size=10)).clients
    assert [(client.type, client.status) for client in clients] == [("sdk", "active")]
    assert {device.client_id for device in devices} == {clients[0].id}
    assert clients_api.list_clients(world.app, made.id, page=sc.Page(after=clients[0].id)).clients == []
    one = devices_api.get_device(world.app, external_id, devices[0].id).device
    assert one == devices[0]

    error = refusal_of(lambda: clients_api.remove_client(world.app, made.id, clients[0].id), 400, "BadRequestException")
    assert (error["code"], error["title"]) == ("bad_request", "Cannot remove a client of type 'sdk'")
    nothing = "5d8cff3cd55b040010928b5b"
    error = refusal_of(lambda: clients_api.remove_client(world.app, made.id, nothing), 404, "NotFoundException")
    assert error["code"] == "client_not_found"
    error = refusal_of(lambda: devices_api.get_device(world.app, made.id, nothing), 404, "NotFoundException")
    assert error["code"] == "device_not_found"


def a_contest(world: World) -> tuple[str, str, str]:
    """The same woman, a year later: an owner, a newcomer who is refused, and the e-mail of both."""
    old, new, email = someone(), someone(), an_email()
    assert world.log_in(old, email=email)[0] == 200
    status, refusal = world.log_in(new, email=email)
    assert (status, refusal["error"]["code"]) == (409, "conflict"), refusal
    error = refusal_of(lambda: world.users.get_user(world.app, new), 404, "NotFoundException")
    assert error["code"] == "user_not_found"
    return old, new, email


@chapter
def a_second_external_id_with_the_same_verified_email_is_refused(world: World) -> None:
    old, new, email = a_contest(world)
    assert world.log_in(old, email=email)[0] == 200
    assert world.log_in(new, email=email)[0] == 409
    assert world.log_in(new)[0] == 200, "without the e-mail there is nothing to contest"


@chapter
def first_cure_erasing_the_owner_frees_the_email(world: World) -> None:
    old, new, email = a_contest(world)
    owner = world.users.get_user(world.app, old).user
    erased = world.users.delete_user_personal_information(world.app, old).user
    assert (erased.id, erased.external_id, erased.identities, erased.metadata) == (owner.id, old, [], {})
    assert erased.profile.email is None
    status, state = world.log_in(new, email=email)
    assert status == 200, state
    assert state["appUser"]["_id"] != owner.id
    assert world.log_in(old)[1]["appUser"]["_id"] == owner.id, "the owner is still there, without her e-mail"


@chapter
def second_cure_deleting_the_owner_frees_the_email(world: World) -> None:
    old, new, email = a_contest(world)
    owner = world.users.get_user(world.app, old).user
    world.users.delete_user(world.app, owner.id)
    for reference in (old, owner.id):
        error = refusal_of(partial(world.users.get_user, world.app, reference), 404, "NotFoundException")
        assert error["code"] == "user_not_found"
    status, state = world.log_in(new, email=email)
    assert status == 200, state
    status, state = world.log_in(old)
    assert (status, state["appUser"]["_id"] == owner.id) == (200, False), "a deleted user comes back as a new one"


@chapter
def app_keys_are_made_listed_and_die_with_their_tokens(world: World) -> None:
    keys = sc.AppKeysApi(world.account())
    made = keys.create_app_key(world.app, sc.AppKeyCreateBody(display_name="second")).key
    secrets.add(made.secret)
    assert made.id.startswith("app_")
    assert made.display_name == "second"
    assert len(made.secret) >= 32
    listed = {key.id: key for key in keys.list_app_keys(world.app).keys}
    assert listed.keys() == {world.key, made.id}
    assert keys.get_app_key(world.app, made.id).key.display_name == "second"
    assert not keys.get_app_key(world.app, made.id).key.secret, "a secret is shown once"

    token = world.sign({"scope": "app"}, made.id, made.secret)
    by_token = sc.UsersApi(world.client(access_token=token))
    by_basic = sc.UsersApi(world.client(username=made.id, password=made.secret))
    user = by_basic.create_user(world.app, sc.UserCreateBody(external_id=someone())).user
    assert by_token.get_user(world.app, user.id).user.id == user.id
    keys.delete_app_key(world.app, made.id)
    for users in (by_token, by_basic):
        error = refusal_of(partial(users.get_user, world.app, user.id), 401, "UnauthorizedException")
        assert error["code"] == "invalid_auth"
    error = refusal_of(lambda: keys.get_app_key(world.app, made.id), 404, "NotFoundException")
    assert error["code"] == "not_found"
    error = refusal_of(lambda: sc.AppKeysApi(world.api).list_app_keys(world.app), 403, "ForbiddenException")
    assert error["code"] == "forbidden"


@chapter
def apps_are_made_paged_and_changed(world: World) -> None:
    apps = sc.AppsApi(world.account())
    name = uuid.uuid4().hex
    made = [
        apps.create_app(
            sc.AppCreateBody(
                display_name=f"{name} {number}", metadata={"n": number}, settings=sc.AppSettings(use_animal_names=True)
            )
        ).app
        for number in range(3)
    ]
    assert made[0].settings.use_animal_names is True
    assert made[0].settings.mask_credit_card_numbers is not None
    assert made[1].metadata == {"n": 1}
    assert apps.get_app(made[2].id).app == made[2]

    found, after = [], None
    for _ in range(50):
        page = apps.list_apps(page=sc.Page(size=2, after=after) if after else sc.Page(size=2))
        assert 1 <= len(page.apps) <= 2
        found += [app.id for app in page.apps]
        if not page.meta.has_more:
            break
        after = page.meta.after_cursor
    assert found == sorted(set(found)), "every app once, in the order in which they were made"
    assert {world.app, *(app.id for app in made)} <= set(found)
    back = apps.list_apps(page=sc.Page(size=100, before=made[1].id))
    assert made[0].id in {app.id for app in back.apps}
    assert made[1].id not in {app.id for app in back.apps}

    changed = apps.update_app(made[0].id, sc.AppUpdateBody(display_name="Renamed", metadata={"m": "x"})).app
    assert (changed.display_name, changed.metadata) == ("Renamed", {"n": 0, "m": "x"})
    assert changed.settings.use_animal_names is True
    apps.delete_app(made[0].id)
    error = refusal_of(lambda: apps.get_app(made[0].id), 404, "NotFoundException")
    assert error["code"] == "app_not_found"
    own = sc.AppsApi(world.api)
    assert own.get_app(world.app).app.id == world.app
    refusal_of(lambda: own.create_app(sc.AppCreateBody(display_name="x")), 403, "ForbiddenException")


@chapter
def a_token_says_which_app_it_is_for(world: World) -> None:
    token = world.sign({"scope": "app"})
    client = world.client(access_token=token)
    # The client's own operation sends no credentials unless they are its default headers.
    client.set_default_header("Authorization", f"Bearer {token}")
    answer = sc.OAuthEndpointsApi(client).get_token_info()
    assert answer.app.id == world.app


@chapter
def external_ids_may_be_any_text(world: World) -> None:
    # Not "..": urllib3 resolves it on the caller's side, so no server ever sees such a path.
    strange = [
        "two words", "a/b/c", "../..", "%2F", "100%", "a+b", "?x=1&y=2", "#top", "semi;colon", "é", "日本語", "🙂",
        "a:b@c", "5d8cff3cd55b040010928b5b", "me", "ﬁ", "Aé", "A\u0301", '"quoted"', "back\\slash", "x" * 255,
    ]  # fmt: skip
    mark = uuid.uuid4().hex[:6]
    ids = {}
    for external_id in [*strange, *(f"{text} {mark}" for text in strange[:-1])]:
        ids[external_id] = world.users.create_user(world.app, sc.UserCreateBody(external_id=external_id)).user.id
    assert len(set(ids.values())) == len(ids)
    for external_id, user_id in ids.items():
        assert world.users.get_user(world.app, external_id).user.id == user_id, external_id
        assert world.users.get_user(world.app, user_id).user.external_id == external_id
        assert world.users.update_user(world.app, external_id, sc.UserUpdateBody(metadata={"n": 1})).user.id == user_id
        status, state = world.log_in(external_id)
        assert (status, state["appUser"]["_id"]) == (200, user_id), external_id
        world.users.delete_user(world.app, external_id)
        refusal_of(partial(world.users.get_user, world.app, external_id), 404, "NotFoundException")


@chapter
def an_external_id_that_looks_like_an_id_does_not_hide_that_user(world: World) -> None:
    ada = world.users.create_user(world.app, sc.UserCreateBody(external_id=someone())).user
    impostor = world.users.create_user(world.app, sc.UserCreateBody(external_id=ada.id)).user
    assert impostor.id != ada.id
    assert world.users.get_user(world.app, ada.id).user.id == ada.id
    assert world.users.get_user(world.app, impostor.id).user.external_id == ada.id


@chapter
def no_answer_holds_an_empty_text(world: World) -> None:
    external_id = someone()
    status, state = world.log_in(external_id, name="   ")
    assert status == 200, state
    token = world.sign({"scope": "user", "external_id": external_id})
    empty = {"givenName": "", "surname": "", "email": "", "avatarUrl": "", "locale": "", "properties": {}}
    for body in ({"givenName": "Ada", "surname": "L"}, empty):
        status, state = world.send("PUT", f"/sdk/v2/apps/{world.app}/appusers/{external_id}", body, f"Bearer {token}")
        assert status == 200, state
        assert "" not in state["appUser"].values()
        user = world.users.get_user(world.app, external_id).user
        assert user.profile.given_name == (body["givenName"] or None)
        assert user.profile.surname == (body["surname"] or None)
    for claims in ({"name": "Ada"}, {"name": ""}, {"name": " Ada "}, {"name": "Ada  "}):
        assert world.log_in(external_id, **claims)[0] == 200
        assert world.users.get_user(world.app, external_id).user.profile.given_name == "Ada"


@chapter
def refusals_arrive_as_the_clients_own_errors(world: World) -> None:
    wrong = sc.UsersApi(world.client(username=world.key, password="wrong-secret"))
    assert refusal_of(lambda: wrong.get_user(world.app, "x"), 401, "UnauthorizedException")["code"] == "invalid_auth"
    nobody = sc.UsersApi(world.client())
    error = refusal_of(lambda: nobody.get_user(world.app, "x"), 401, "UnauthorizedException")
    assert (error["code"], error["title"]) == ("unauthorized", "Authorization is required")
    as_user = sc.UsersApi(world.client(access_token=world.sign({"scope": "user", "external_id": "x"})))
    assert refusal_of(lambda: as_user.get_user(world.app, "x"), 403, "ForbiddenException")["code"] == "forbidden"
    for app in (world.other_app, "5d8cff3cd55b040010928b5b"):
        error = refusal_of(partial(world.users.get_user, app, "x"), 403, "ForbiddenException")
        assert (error["code"], error["title"]) == ("forbidden", "Forbidden")
    error = refusal_of(
        lambda: world.users.create_user(
            world.app, sc.UserCreateBody(external_id=someone(), metadata={"deep": {"a": 1}})
        ),
        400,
        "BadRequestException",
    )
    assert error["code"] == "bad_request"
    error = refusal_of(
        lambda: world.users.create_user(
            world.app, sc.UserCreateBody(external_id=someone(), metadata={"a": "x" * 5000})
        ),
        400,
        "BadRequestException",
    )
    assert error["code"] == "bad_request"


@chapter
def the_vendors_base_path_works_too(world: World) -> None:
    users = sc.UsersApi(world.client(host=f"{world.host}/sc", username=world.key, password=world.secret))
    made = users.create_user(world.app, sc.UserCreateBody(external_id=someone())).user
    assert world.users.get_user(world.app, made.external_id).user == made


def tell(given: dict[str, str]) -> dict[str, Any]:
    """Every chapter, each in its turn, and what went wrong in it."""
    world = World(given)
    failures = {}
    for name, told in CHAPTERS.items():
        try:
            told(world)
        except Exception:  # noqa: BLE001  whatever it was, the test of that chapter shows it
            failures[name] = traceback.format_exc()
    return {"version": sc.__version__, "failures": failures, "told": list(CHAPTERS), "secrets": sorted(secrets)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(tell(json.loads(sys.stdin.read()))))
