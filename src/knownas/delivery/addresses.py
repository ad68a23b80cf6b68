"""Which addresses may be called: none of our own network, whatever name leads there (server-side request forgery)."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

LOOK_UPS_AT_ONCE: Final = 64
_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_CLOSED_V4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
# Outside 2000::/3 nothing is given out; inside it, these lead elsewhere or nowhere.
_OPEN_V6: Final = ipaddress.IPv6Network("2000::/3")
_CLOSED_V6: Final = tuple(ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20"))


class Refused(OSError):
    """The name leads to an address that may not be called; the text names neither."""


def is_public(text: str) -> bool:
    """Whether the address belongs to the public internet. IPv4 inside IPv6 is judged as what it carries."""
    try:
        address: _Ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        carried = _carried(address)
        if carried is None:
            return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)
        address = carried
    return not any(address in network for network in _CLOSED_V4)


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address in an IPv4-mapped, NAT64 or 6to4 one."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


def refuse_literal(host: str) -> None:
    """Refuse a host that is an address already, which no resolver will be asked about. Raises Refused.

    `127.1` and `0x7f000001` are addresses too, to some; a host that ends in a number has to be written out in full.
    """
    last = host.rstrip(".").rpartition(".")[2].lower()
    if (":" in host or last.isdigit() or last.startswith("0x")) and not is_public(host.strip("[]")):
        raise Refused("the target's address is not public")


GetAddrInfo = Callable[..., list[tuple[Any, ...]]]


class GuardedResolver(AbstractResolver):
    """The system's resolver in threads of its own, and a check of every address that it answers.

    What is connected to is what was checked: a name that changes its address between two look-ups gains nothing.
    The threads are our own because a name server that does not answer must not keep others waiting.
    """

    def __init__(self, *, private_too: bool, look_up: GetAddrInfo = socket.getaddrinfo) -> None:
        self._private_too = private_too
        self._look_up = look_up
        self._room = asyncio.Semaphore(LOOK_UPS_AT_ONCE)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`. Raises Refused if one of them is not public, OSError if there is none."""
        async with self._room:
            found = await _in_a_thread(lambda: self._look_up(host, port, family, socket.SOCK_STREAM))
        if not found:
            raise OSError("the target's name has no address")
        addresses = [str(entry[4][0]) for entry in found]
        if not self._private_too and not all(is_public(address) for address in addresses):
            raise Refused("the target's name leads to an address that is not public")
        return [
            ResolveResult(
                hostname=host, host=address, port=int(entry[4][1]), family=entry[0], proto=entry[2],
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address, entry in zip(addresses, found, strict=True)
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing to close: the threads end by themselves."""


async def _in_a_thread(work: Callable[[], list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """Run it in a thread that keeps nobody from ending the process."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

    def settle(result: list[tuple[Any, ...]] | None, failure: Exception | None) -> None:
        if answer.done():
            return
        if failure is not None:
            answer.set_exception(failure)
        else:
            answer.set_result(result or [])

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except Exception as problem:  # noqa: BLE001  it belongs to whoever asked
            failure = problem
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            return  # the loop has ended meanwhile

    threading.Thread(target=run, name="knownas-resolve", daemon=True).start()
    return await answer
