"""Which hosts are this machine, so that what travels to them needs no protection on its way."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host name or address never leaves the machine (RFC 6761, 6.3; RFC 6890)."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
