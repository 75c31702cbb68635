"""What the DNS says about the domain that notices come from: whether receivers will believe them, and can answer.

It reads what is published and says what that means. It does not know from which addresses the mail server sends, so it
cannot say whether SPF lets those through: the server's operator can, or a test mail to somebody whose server says so.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

import dns.exception
import dns.resolver
import dns.reversename

from mail.dkim import SigningKey
from mail.findings import Finding, Level
from models.errors import Unavailable

_MOST_LOOKUPS = 10
"""How many further look-ups an SPF record may ask for (RFC 7208, 4.6.4)."""

_LOOKS_UP = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
_TERM_ENDS = re.compile("[:=/]")
_SECONDS = 5.0


class Records:
    """Looks records up.

    Args:
        resolver: the DNS server's address and port; None for the machine's own.
    """

    def __init__(self, resolver: tuple[str, int] | None = None) -> None:
        self._resolver = dns.resolver.Resolver(configure=resolver is None)
        self._resolver.lifetime = _SECONDS
        if resolver is not None:
            self._resolver.nameservers = [resolver[0]]
            self._resolver.port = resolver[1]

    def texts(self, name: str) -> list[str]:
        """The TXT records of a name, each in one piece (RFC 7208, 3.3)."""
        return [b"".join(record.strings).decode(errors="replace") for record in self._records(name, "TXT")]

    def mail_servers(self, name: str) -> list[str]:
        """The hosts that take mail for a domain, the preferred one first; ``.`` where it takes none (RFC 7505)."""
        records = sorted(self._records(name, "MX"), key=lambda record: record.preference)
        return [record.exchange.to_text(omit_final_dot=len(record.exchange.labels) > 1) for record in records]

    def addresses(self, name: str) -> set[str]:
        """The addresses of a host."""
        return {record.address for kind in ("A", "AAAA") for record in self._records(name, kind)}

    def names(self, address: str) -> list[str]:
        """What an address is called (PTR)."""
        pointers = self._records(dns.reversename.from_address(address).to_text(), "PTR")
        return [record.target.to_text(omit_final_dot=True) for record in pointers]

    def _records(self, name: str, kind: str) -> list[Any]:
        try:
            return list(self._resolver.resolve(name, kind))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise Unavailable(
                f"The DNS does not answer about {name} ({type(error).__name__}).",
                where="DNS",
                next_step="Check that this machine can look names up, and try again.",
            ) from None


def check_domain(records: Records, domain: str, keys: Sequence[SigningKey], selectors: Sequence[str]) -> list[Finding]:
    """What is published about the sender's domain.

    Args:
        records: looks records up.
        domain: the domain of the sender's address.
        keys: those that the engine signs with.
        selectors: those under which the mail server's keys are, where it signs.

    Raises:
        Unavailable: the DNS does not answer.
    """
    return [
        *_check_spf(records, domain),
        *(_check_key(records, key) for key in keys),
        *(_check_selector(records, domain, selector) for selector in selectors),
        *(() if keys or selectors else (_NOT_SIGNED,)),
        _check_dmarc(records, domain),
        _check_mail_servers(records, domain),
    ]


def check_address(records: Records, address: str) -> Finding:
    """What the mail server's address is called, and whether that name leads back to it (RFC 1912, 2.1)."""
    if not ip_address(address).is_global:
        return Finding(
            "PTR",
            Level.NOTE,
            f"The mail server is on this network ({address}), so its name in the DNS says nothing about how it sends.",
            "See that the address it sends from has a PTR record, and that the name leads back to that address.",
        )
    names = records.names(address)
    called = f"is called {names[0]}, which does not lead back to it" if names else "has no PTR record"
    back = [name for name in names if address in records.addresses(name)]
    if back:
        return Finding("PTR", Level.GOOD, f"{address} is called {back[0]}, and that name leads back to it.")
    return Finding(
        "PTR",
        Level.NOTE,
        f"{address} {called}.",
        "If the mail server sends from this address, have its operator publish a name for it that leads back.",
    )


_NOT_SIGNED = Finding(
    "DKIM",
    Level.NOTE,
    "No key is set, so the mail server has to sign.",
    "Name its selector with --selector to look it up, or set DUENOTICE_DKIM.",
)


def _check_spf(records: Records, domain: str) -> Iterator[Finding]:
    """RFC 7208."""
    found = _spf_records(records, domain)
    if not found:
        yield Finding(
            "SPF",
            Level.PROBLEM,
            f"{domain} has no SPF record, so receivers cannot tell who may send for it.",
            f'Publish a TXT record at {domain}: "v=spf1 … -all", with what the mail server\'s operator names.',
        )
        return
    if len(found) > 1:
        yield Finding(
            "SPF",
            Level.PROBLEM,
            f"{domain} has {len(found)} SPF records, which counts as an error (RFC 7208, 4.5).",
            "Make one of them.",
        )
        return
    terms = found[0].split()[1:]
    match [term for term in terms if term.lower().lstrip("+-~?") == "all"]:
        case [everybody, *_] if everybody.lower() in ("all", "+all"):
            yield Finding(
                "SPF",
                Level.PROBLEM,
                f'{domain} lets everybody send for it ("{found[0]}").',
                'End the record with "-all" or "~all".',
            )
        case [last, *_] if last.startswith("?"):
            yield Finding("SPF", Level.NOTE, f"{domain} says nothing about others (?all).", 'End it with "-all".')
        case [] if not any(term.lower().startswith("redirect=") for term in terms):
            yield Finding("SPF", Level.NOTE, f"{domain} says nothing about others (no all).", 'End it with "-all".')
        case _:
            yield Finding(
                "SPF",
                Level.GOOD,
                f'{domain} says who may send for it: "{found[0]}".',
                "See that the addresses the mail server sends from are among them.",
            )
    yield from _check_lookups(records, domain)


def _spf_records(records: Records, domain: str) -> list[str]:
    texts = records.texts(domain)
    return [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


def _check_lookups(records: Records, domain: str) -> Iterator[Finding]:
    """Follow what a record includes, and count (RFC 7208, 4.6.4)."""
    lookups, left = 0, [domain]
    while left and lookups <= _MOST_LOOKUPS:
        name = left.pop(0)
        found = _spf_records(records, name)
        if len(found) != 1 and name != domain:
            yield Finding(
                "SPF",
                Level.PROBLEM,
                f"The SPF record includes {name}, which has {len(found) or 'no'} SPF record{'s' * (len(found) > 1)}.",
                "Take it out, or have it put right: receivers count the whole record as an error.",
            )
        for term in found[0].lower().split()[1:] if len(found) == 1 else ():
            mechanism, *others = _TERM_ENDS.split(term.lstrip("+-~?"))
            lookups += mechanism in _LOOKS_UP
            if mechanism in ("include", "redirect") and others:
                left.append(others[0])
    if lookups > _MOST_LOOKUPS:
        yield Finding(
            "SPF",
            Level.PROBLEM,
            f"The SPF record asks for more than {_MOST_LOOKUPS} look-ups, which counts as an error (RFC 7208, 4.6.4).",
            "Take out what no longer sends for you.",
        )


def _check_key(records: Records, key: SigningKey) -> Finding:
    """Whether the public half of a key is what is published (RFC 6376, 3.6.1; RFC 8463, 4)."""
    name = f"{key.selector}._domainkey.{key.domain}"
    ours = key.published
    wanted = f'"v=DKIM1; k={key.algorithm.partition("-")[0]}; p={b64encode(ours).decode()}"'
    published = [_tags(text) for text in records.texts(name)]
    if not published:
        return Finding("DKIM", Level.PROBLEM, f"There is no key at {name}.", f"Publish there a TXT record: {wanted}.")
    if all(_key_of(tags) != ours for tags in published):
        return Finding(
            "DKIM",
            Level.PROBLEM,
            f"The key at {name} is another one than that which mail is signed with.",
            f"Publish there: {wanted}.",
        )
    return Finding("DKIM", Level.GOOD, f"Mail is signed with the key at {name}.")


def _check_selector(records: Records, domain: str, selector: str) -> Finding:
    name = f"{selector}._domainkey.{domain}"
    if any(_key_of(_tags(text)) for text in records.texts(name)):
        return Finding("DKIM", Level.GOOD, f"There is a key at {name} for the mail server to sign with.")
    return Finding("DKIM", Level.PROBLEM, f"There is no key at {name}.", "Have the mail server's operator publish it.")


def _key_of(tags: dict[str, str]) -> bytes:
    try:
        return b64decode("".join(tags.get("p", "").split()), validate=True)
    except NotBase64:
        return b""


def _check_dmarc(records: Records, domain: str) -> Finding:
    """RFC 7489: the domain's own policy, else that of the domain above it."""
    labels = domain.split(".")
    for above in (".".join(labels[number:]) for number in range(max(1, len(labels) - 1))):
        policies = [_tags(text) for text in records.texts(f"_dmarc.{above}") if text.startswith("v=DMARC1")]
        if not policies:
            continue
        policy = policies[0].get("p", "").lower() if len(policies) == 1 else ""
        if policy in ("quarantine", "reject"):
            return Finding("DMARC", Level.GOOD, f"{above} has what is forged in its name kept away (p={policy}).")
        if policy == "none":
            return Finding(
                "DMARC",
                Level.NOTE,
                f"{above} has what is forged in its name delivered all the same (p=none).",
                "Once its reports show that your own mail passes, publish p=quarantine or p=reject.",
            )
        return Finding(
            "DMARC",
            Level.PROBLEM,
            f"The DMARC record at _dmarc.{above} cannot be used.",
            'Leave one record there, as "v=DMARC1; p=none".',
        )
    return Finding(
        "DMARC",
        Level.PROBLEM,
        f"{domain} has no DMARC record, and large receivers refuse mail in bulk without one.",
        f'Publish a TXT record at _dmarc.{domain}: "v=DMARC1; p=none; rua=mailto:…".',
    )


def _check_mail_servers(records: Records, domain: str) -> Finding:
    """Whether answers and bounces can arrive (RFC 5321, 5.1)."""
    servers = records.mail_servers(domain)
    if servers == ["."] or not (servers or records.addresses(domain)):
        return Finding(
            "MX",
            Level.PROBLEM,
            f"Nothing takes mail for {domain}, so that no bounce can arrive, and some receivers refuse its mail.",
            f"Publish an MX record at {domain}, or send from a domain that has one.",
        )
    takes = servers[0] if servers else f"{domain} itself"
    return Finding("MX", Level.GOOD, f"{takes} takes mail for {domain}.")


def _tags(record: str) -> dict[str, str]:
    """A record of tags and values (RFC 6376, 3.2)."""
    pairs = (part.partition("=") for part in record.split(";") if "=" in part)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
