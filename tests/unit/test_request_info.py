"""What is known of a request, from its peer, its proxies, its device and a real database of places."""

import tracemalloc
from pathlib import Path
from typing import Any, cast

import maxminddb
import pytest

from knownas.conflicts import Place, RequestInfo
from knownas.devices import DeviceInfo
from knownas.http.call import Call
from knownas.http.request_info import AGENT_CHARACTERS, Surroundings, address_of, asks_about, parse_agent, proxies_of
from knownas.main import surroundings_of
from knownas.settings import InvalidSetting, load_settings
from tests.given import World, claims
from tests.unit.facade import services_of

PLACES = Path(__file__).parents[1] / "data" / "GeoIP2-City-Test.mmdb"
LOOPBACK = proxies_of("127.0.0.0/8, ::1")
MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0"
    " Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2"
    " Mobile/15E148 Safari/604.1"
)
TABLET = "Mozilla/5.0 (Linux; Android 12; SM-T870) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0 Safari/537.36"


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, 127.0.0.9", "198.51.100.1"),
        ("::1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1, unknown", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        (None, "198.51.100.1", None),
        ("testclient", "198.51.100.1", None),
    ],
)
def test_only_what_a_trusted_proxy_wrote_is_believed(peer: str | None, forwarded: str, address: str | None) -> None:
    assert address_of(peer, forwarded, LOOPBACK) == address


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    assert address_of("127.0.0.1", "198.51.100.1", ()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("agent", "looks"),
    [
        (MAC, ("Mac", "browser", "Mac OS X 10.15", "Chrome 120")),
        (IPHONE, ("iPhone", "mobile", "iOS 17.2", "Mobile Safari 17")),
        (TABLET, ("SM-T870", "tablet", "Android 12", "Chrome 119")),
        ("curl/8.1", (None, None, None, "curl 8")),
        ("what is this", (None, None, None, None)),
    ],
)
def test_a_user_agent_names_device_system_and_browser(agent: str, looks: tuple[str | None, ...]) -> None:
    found = parse_agent(agent)
    assert (found.device_name, found.device_type, found.os, found.browser) == looks


def call_of(
    world: World, headers: dict[str, str], peer: str = "127.0.0.1", surroundings: Surroundings | None = None
) -> Call:
    services = services_of(world)
    services.surroundings = surroundings or Surroundings(LOOPBACK)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope: Any = {"type": "http", "headers": raw, "client": (peer, 4711)}
    return Call(scope, cast("Any", None), {}, services)


async def test_all_that_is_known_is_told(world: World) -> None:
    with maxminddb.open_database(PLACES) as places:
        call = call_of(
            world, {"user-agent": MAC, "x-forwarded-for": "2.125.160.216"}, surroundings=Surroundings(LOOPBACK, places)
        )
        info = asks_about(call, None)()
    place = Place("Boxford", "GB", 51.75, -1.25, "ENG", "OX1")
    assert info == RequestInfo("2.125.160.216", MAC, "Mac", "browser", "Mac OS X 10.15", "Chrome 120", place)


async def test_a_place_that_is_not_known_is_left_out(world: World) -> None:
    with maxminddb.open_database(PLACES) as places:
        surroundings = Surroundings(LOOPBACK, places)
        for address in ("127.0.0.1", "2001:270::1", "81.2.69.142"):
            info = asks_about(call_of(world, {"x-forwarded-for": address}, surroundings=surroundings), None)()
            assert info.address == address
            assert (info.place is None) == (address == "127.0.0.1")


async def test_the_device_knows_better_than_its_user_agent(world: World) -> None:
    own = {"os": "Android", "osVersion": "14", "devicePlatform": "Pixel 8", "appName": "Shop"}
    device = DeviceInfo("guid", "android", None, own)
    info = asks_about(call_of(world, {"user-agent": "okhttp/4.12"}), device)()
    assert (info.device_name, info.device_type, info.os) == ("Pixel 8", "mobile", "Android 14")
    page = DeviceInfo("guid", "web", None, {"userAgent": IPHONE})
    info = asks_about(call_of(world, {"user-agent": "a proxy"}), page)()
    assert (info.user_agent, info.device_name) == ("a proxy", "iPhone")


async def test_what_a_stranger_sends_is_bounded_and_printable(world: World) -> None:
    info = asks_about(call_of(world, {"user-agent": "x\x1b[31m" + "y" * 20_000}), None)()
    assert info.user_agent is not None
    assert len(info.user_agent) <= AGENT_CHARACTERS
    assert info.user_agent.isprintable()
    device = DeviceInfo("guid", "web", None, {"os": "\n" * 10, "devicePlatform": 7, "browser": "b" * 999})
    info = asks_about(call_of(world, {}), device)()
    assert (info.os, info.device_name, len(info.browser or "")) == (None, None, 128)


async def test_long_headers_do_not_fill_the_memory(world: World) -> None:
    """What is remembered of 1,000 requests whose headers have 60 kB each."""
    surroundings = Surroundings(LOOPBACK)
    tracemalloc.start()
    try:
        for number in range(1000):
            long = f"{number}" + "x" * 60_000
            asks_about(call_of(world, {"user-agent": long, "x-forwarded-for": long}, surroundings=surroundings), None)()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 10_000_000


async def test_nothing_is_parsed_for_a_login_that_contests_nothing(world: World) -> None:
    asked = []

    def ask() -> RequestInfo:
        asked.append(1)
        return RequestInfo()

    from knownas.sessions.log_in import log_in

    await world.do(log_in, claims("1234", "ada@example.com"), None, None, None, ask)
    await world.do(log_in, claims("1234", "ada@example.com"), None, None, None, ask)
    assert asked == []


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="trusted_proxies"):
        surroundings_of(load_settings({}, trusted_proxies="localhost"))
    with pytest.raises(InvalidSetting, match="places_database"):
        surroundings_of(load_settings({}, places_database=str(tmp_path / "none.mmdb")))
    (tmp_path / "bad.mmdb").write_text("no database")
    with pytest.raises(InvalidSetting, match="places_database"):
        surroundings_of(load_settings({}, places_database=str(tmp_path / "bad.mmdb")))
    found = surroundings_of(load_settings({}, places_database=str(PLACES)))
    assert found.places is not None
    assert surroundings_of(load_settings({}, trusted_proxies="")).trusted_proxies == ()
