"""A DNS server on loopback that knows what a test tells it, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], list[str]]
"""For a name and a type of record, the records as a zone file has them; ``SERVFAIL`` as the only one fails."""

DOMAIN = "provider.test"

SOUND: Zone = {
    (DOMAIN, "TXT"): ['"v=spf1 include:relay.test -all"', '"something else"'],
    ("relay.test", "TXT"): ['"v=spf1 ip4:192.0.2.1 " "-all"'],
    ("_dmarc.provider.test", "TXT"): ['"v=DMARC1; p=reject"'],
    (DOMAIN, "MX"): ["20 late.provider.test.", "10 mx.provider.test."],
}
"""What a domain says whose mail is believed."""


class _Server(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str | object, int]) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        answer = dns.message.make_response(query, recursion_available=True)
        records = self._zone.get((name, kind), [])
        if records == ["SERVFAIL"]:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif records:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
        elif not any(known == name for known, _ in self._zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        assert self._transport is not None
        self._transport.sendto(answer.to_wire(), address)


@asynccontextmanager
async def dns_server(zone: Zone) -> AsyncIterator[tuple[str, int]]:
    """Serve a zone, and return the server's address and port; the loop must be free to answer."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Server(zone), ("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")
    finally:
        transport.close()
