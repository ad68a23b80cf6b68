"""What is known of a request: its address, its device, its place. Asked only where somebody will want to know.

The browser names itself and a proxy names the address, so all of this helps an operator and proves nothing.
"""

import ipaddress
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final, Protocol

from msgspec import Struct

from knownas.conflicts import Place, RequestInfo
from knownas.devices import DeviceInfo
from knownas.http.call import Call

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AGENT_CHARACTERS: Final = 512
NAME_CHARACTERS: Final = 128
REMEMBERED: Final = 512
"""Addresses and user agents whose reading is kept, since the same come again and again."""
FORWARDED_CHARACTERS: Final = 2048
_LANGUAGE: Final = "en"
_ANDROID_TABLET: Final = "Generic_Android_Tablet"


class Places(Protocol):
    """A database of places, such as `maxminddb.Reader`."""

    def get(self, ip_address: str) -> Any:
        """What it says of an address, or None."""
        ...


class Surroundings:
    """Whose word is taken for an address, and where places are looked up, if anywhere."""

    def __init__(self, trusted_proxies: tuple[Network, ...] = (), places: Places | None = None) -> None:
        self.trusted_proxies = trusted_proxies
        self.places = places
        self.address_of = lru_cache(maxsize=REMEMBERED)(partial(address_of, trusted=trusted_proxies))


def proxies_of(text: str) -> tuple[Network, ...]:
    """The networks in a comma-separated list of addresses and networks. Raises ValueError."""
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


def asks_about(call: Call, device: DeviceInfo | None) -> Callable[[], RequestInfo]:
    """A question about this request that costs nothing until it is asked. It may be asked in any thread."""
    return lambda: request_info(call, device)


def request_info(call: Call, device: DeviceInfo | None) -> RequestInfo:
    """What is known of the request; what the device says of itself goes before what its user agent looks like."""
    surroundings = call.services.surroundings
    forwarded = ",".join(value.decode("latin-1") for name, value in call.scope["headers"] if name == b"x-forwarded-for")
    peer = call.scope.get("client")
    # Cut before they are remembered: a stranger's headers do not get to fill the memory.
    address = surroundings.address_of(peer[0] if peer else None, forwarded[-FORWARDED_CHARACTERS:])
    own = device.info if device is not None and device.info is not None else {}
    header = (call.header(b"user-agent") or b"").decode("latin-1")
    agent, looks = looks_of(header[:AGENT_CHARACTERS], *map(own.get, _OWN))
    return RequestInfo(
        address=address,
        user_agent=agent,
        device_name=looks.device_name,
        device_type=looks.device_type or _type_of_platform(device),
        os=looks.os,
        browser=looks.browser,
        place=place_of(surroundings.places, address),
    )


_OWN: Final = ("userAgent", "devicePlatform", "os", "osVersion", "browser", "browserVersion")


@lru_cache(maxsize=REMEMBERED)
def looks_of(
    header: str, agent: object, name: object, os: object, os_version: object, browser: object, browser_version: object
) -> "tuple[str | None, Looks]":
    """The user agent, and what a device looks like by it; what the device says of itself goes before."""
    sent, own = _text(header, AGENT_CHARACTERS), _text(agent, AGENT_CHARACTERS)
    read = own or sent
    looks = parse_agent(read) if read else Looks()
    return sent or own, Looks(
        device_name=_text(name) or looks.device_name,
        device_type=looks.device_type,
        os=_named(_text(os), _text(os_version)) or looks.os,
        browser=_named(_text(browser), _text(browser_version)) or looks.browser,
    )


def address_of(peer: str | None, forwarded: str, trusted: tuple[Network, ...]) -> str | None:
    """The caller's address: the peer's, or the last in X-Forwarded-For that no trusted proxy has.

    The header is read from its end, since only there have our own proxies written. The peer has to be one of them.
    """
    address = _address(peer or "")
    if address is None:
        return None
    for entry in reversed(forwarded.split(",")):
        if not any(address in network for network in trusted):
            break
        before = _address(entry)
        if before is None:
            break
        address = before
    return str(address)


def _address(text: str) -> Address | None:
    """An address as proxies write it: alone, with a port, in brackets; IPv4 inside IPv6 as what it carries."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


class Looks(Struct, frozen=True):
    """What a user agent looks like."""

    device_name: str | None = None
    device_type: str | None = None
    os: str | None = None
    browser: str | None = None


@lru_cache(maxsize=REMEMBERED)
def parse_agent(agent: str) -> Looks:
    """The device, its kind, the operating system and the browser that a user agent names.

    The kinds are those that FusionAuth has words for, in lower case.
    """
    from ua_parser import parse  # large tables; a server loads them when it starts (`load_agents`)

    found = parse(agent)
    device, system, browser = found.device, found.os, found.user_agent
    return Looks(
        device_name=_text(device.family) if device else None,
        device_type=_type_of(agent, device.family if device else "", (device.brand if device else None) or ""),
        os=_named(system.family, _version(system.major, system.minor)) if system else None,
        browser=_named(browser.family, browser.major) if browser else None,
    )


def load_agents() -> None:
    """Load the tables by which user agents are read, a quarter of a second, so that no login has to wait for it."""
    parse_agent("Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0")


def place_of(places: Places | None, address: str | None) -> Place | None:
    """Where the address is, as far as the database knows."""
    if places is None or address is None:
        return None
    try:
        found = places.get(address)
    except ValueError:  # an IPv6 address, and a database of IPv4 only
        return None
    if not isinstance(found, dict):
        return None
    location, regions = found.get("location") or {}, found.get("subdivisions") or [{}]
    place = Place(
        city=_name(found.get("city")),
        country=(found.get("country") or {}).get("iso_code"),
        latitude=location.get("latitude"),
        longitude=location.get("longitude"),
        region=regions[0].get("iso_code") or _name(regions[0]),
        zipcode=(found.get("postal") or {}).get("code"),
    )
    return None if place == Place() else place


def _name(entry: Any) -> str | None:
    names = (entry or {}).get("names") or {}
    name = names.get(_LANGUAGE)
    return name if isinstance(name, str) else None


def _type_of(agent: str, family: str, brand: str) -> str | None:
    if family == "Spider":
        return "other"
    if "TV" in agent:
        return "tv"
    if family == "iPad" or brand == _ANDROID_TABLET or "Tablet" in agent:
        return "tablet"
    if "Mobi" in agent or "Android" in agent or family in ("iPhone", "iPod"):
        return "mobile"
    return "browser" if agent.startswith("Mozilla/") else None


def _type_of_platform(device: DeviceInfo | None) -> str | None:
    if device is None:
        return None
    return "mobile" if device.platform in ("ios", "android") else "browser"


def _named(name: str | None, version: str | None) -> str | None:
    return " ".join(part for part in (name, version) if part)[:NAME_CHARACTERS] if name else None


def _version(major: str | None, minor: str | None) -> str | None:
    return ".".join(part for part in (major, minor) if part) or None


def _text(value: object, at_most: int = NAME_CHARACTERS) -> str | None:
    """A text that can be shown: bounded, without control characters; None for anything else."""
    if not isinstance(value, str):
        return None
    text = value[:at_most]
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    return text.strip() or None
