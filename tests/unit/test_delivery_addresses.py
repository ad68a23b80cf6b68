"""Which addresses may be called, whatever they are written like and whatever name leads there."""

import asyncio
import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from knownas.delivery.addresses import GuardedResolver, Refused, is_public, refuse_literal

CLOSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1",  # noqa: S104
    "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1",
    "2001::1", "100::1", "3fff::1", "5f00::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::",
]  # fmt: skip
OPEN = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.167.1.1", "223.255.255.255",
    "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("address", CLOSED)
def test_our_own_network_is_closed(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_the_internet_is_open(address: str) -> None:
    assert is_public(address)


@examples(st.ip_addresses(v=4))
def test_what_the_standard_library_calls_private_is_closed_in_every_disguise(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    disguises = [
        str(address),
        f"::ffff:{address}",
        str(ipaddress.IPv6Address((0x64FF9B << 96) | number)),
        str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1)),
    ]
    assert len({is_public(disguise) for disguise in disguises}) == 1
    if not address.is_global or address.is_multicast:
        assert not is_public(str(address))


@examples(st.ip_addresses(v=6))
def test_no_private_ipv6_address_is_open(address: ipaddress.IPv6Address) -> None:
    if is_public(str(address)) and address.ipv4_mapped is None and address.sixtofour is None:
        assert not any((address.is_private, address.is_loopback, address.is_link_local, address.is_multicast))


@examples(st.text())
def test_what_is_no_address_is_not_public(text: str) -> None:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        assert not is_public(text)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.0.0.1.", "::1", "[::1]", "10.1",
     "fe80::1%eth0", "1.1", "8.8.2056"],
)  # fmt: skip
def test_an_address_in_the_target_itself_is_looked_at(host: str) -> None:
    with pytest.raises(Refused):
        refuse_literal(host)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "2606:4700::1111", "[2606:4700::1111]", "example.org", "10.example.org", "x1"]
)
def test_public_addresses_and_names_pass_to_the_resolver(host: str) -> None:
    refuse_literal(host)


def answering(*addresses: str) -> Any:
    """A resolver of the system that knows these addresses of any name."""

    def look_up(host: str, port: int, family: int, kind: int) -> list[tuple[Any, ...]]:
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, kind, 6, "", (address, port))
            for address in addresses
        ]

    return look_up


async def test_a_name_that_leads_to_public_addresses_is_resolved() -> None:
    resolver = GuardedResolver(private_too=False, look_up=answering("8.8.8.8", "2606:4700::1111"))
    found = await resolver.resolve("example.org", 443)
    assert [(one["host"], one["port"]) for one in found] == [("8.8.8.8", 443), ("2606:4700::1111", 443)]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "::ffff:169.254.169.254", "64:ff9b::7f00:1"])
async def test_one_private_address_among_public_ones_is_enough_to_refuse(address: str) -> None:
    resolver = GuardedResolver(private_too=False, look_up=answering("8.8.8.8", address))
    with pytest.raises(Refused) as refused:
        await resolver.resolve("example.org", 443)
    assert address not in str(refused.value)
    allowed = GuardedResolver(private_too=True, look_up=answering("8.8.8.8", address))
    assert len(await allowed.resolve("example.org", 443)) == 2


async def test_a_name_without_an_address_is_an_error_of_the_call() -> None:
    def nothing(*_: object) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    for look_up in (nothing, answering()):
        with pytest.raises(OSError):  # noqa: PT011
            await GuardedResolver(private_too=False, look_up=look_up).resolve("nowhere.invalid", 443)


async def test_a_name_server_that_does_not_answer_keeps_nobody_else_waiting() -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow_for_some(host: str, *rest: Any) -> list[tuple[Any, ...]]:
        if host == "slow.example.org":
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(30)
        return answering("8.8.8.8")(host, *rest)

    resolver = GuardedResolver(private_too=False, look_up=slow_for_some)
    slow = [asyncio.create_task(resolver.resolve("slow.example.org", 443)) for _ in range(40)]
    assert await asyncio.wait_for(resolver.resolve("example.org", 443), 5)
    assert not any(task.done() for task in slow)
    release.set()
    await asyncio.gather(*slow)
