"""RFC 7208, 6376, 7489, 7505 and 1912: what the DNS says for the sender, told with what to do."""

from __future__ import annotations

import asyncio
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from mail.dkim import SigningKey
from mail.domain_check import Records, check_address, check_domain
from mail.findings import Finding, Level
from models.errors import Unavailable
from tests.support.dns_server import DOMAIN, SOUND, Zone, dns_server

RSA = SigningKey(DOMAIN, "s1", generate_private_key(65537, 2048))
ED25519 = SigningKey(DOMAIN, "s2", Ed25519PrivateKey.generate())


def published(key: SigningKey) -> str:
    """The record of a key, in strings of at most 255 bytes as a zone file has them."""
    record = f"v=DKIM1; k={key.algorithm.split('-')[0]}; p={b64encode(key.published).decode()}"
    return " ".join(f'"{record[i : i + 250]}"' for i in range(0, len(record), 250))


async def look(zone: Zone, *keys: SigningKey, selectors: tuple[str, ...] = (), domain: str = DOMAIN) -> list[Finding]:
    async with dns_server(zone) as place:
        return await asyncio.to_thread(check_domain, Records(place), domain, keys, selectors)


def about(found: list[Finding], what: str) -> list[tuple[Level, str]]:
    return [(one.level, f"{one.says} {one.do or ''}".strip()) for one in found if one.about == what]


async def test_a_domain_that_has_it_all_has_nothing_to_put_right() -> None:
    zone = {**SOUND, ("s1._domainkey.provider.test", "TXT"): [published(RSA)]}
    zone[("s2._domainkey.provider.test", "TXT")] = [published(ED25519)]
    found = await look(zone, RSA, ED25519)
    assert {one.level for one in found} == {Level.GOOD}
    assert [one.about for one in found] == ["SPF", "DKIM", "DKIM", "DMARC", "MX"]
    assert '"v=spf1 include:relay.test -all"' in found[0].says
    assert found[-1].says == "mx.provider.test takes mail for provider.test."


async def test_a_domain_that_has_nothing_is_told_what_to_publish() -> None:
    found = await look({}, RSA)
    assert {one.about: one.level for one in found} == dict.fromkeys(("SPF", "DKIM", "DMARC", "MX"), Level.PROBLEM)
    assert all(one.do for one in found)
    ((_, key),) = about(found, "DKIM")
    assert b64encode(RSA.published).decode() in key


@pytest.mark.parametrize(
    ("records", "level", "says"),
    [
        (['"v=spf1 +all"'], Level.PROBLEM, "lets everybody send"),
        (['"v=spf1 a ALL"'], Level.PROBLEM, "lets everybody send"),
        (['"v=spf1 a ?all"'], Level.NOTE, "nothing about others"),
        (['"v=spf1 a"'], Level.NOTE, "nothing about others"),
        (['"v=spf1 a ~all"'], Level.GOOD, "who may send"),
        (['"v=spf1 redirect=relay.test"'], Level.GOOD, "who may send"),
        (['"v=spf1 -all"', '"v=spf1 a -all"'], Level.PROBLEM, "2 SPF records"),
        (['"v=spf10 -all"'], Level.PROBLEM, "no SPF record"),
        (['"v=spf1 include:none.test -all"'], Level.PROBLEM, "none.test, which has no SPF record"),
        ([f'"v=spf1 {" ".join(f"a:{name}.test" for name in "abcdefghij")} include:relay.test -all"'],
         Level.PROBLEM, "more than 10 look-ups"),
        (['"v=spf1 include:provider.test -all"'], Level.PROBLEM, "more than 10 look-ups"),
    ],
)  # fmt: skip
async def test_spf(records: list[str], level: Level, says: str) -> None:
    found = about(await look({**SOUND, (DOMAIN, "TXT"): records}), "SPF")
    assert any(each is level and says in sentence for each, sentence in found), found
    assert max(found, key=lambda one: list(Level).index(one[0]))[0] is level


async def test_another_key_than_that_which_signs_is_told() -> None:
    zone = {**SOUND, ("s1._domainkey.provider.test", "TXT"): ['"v=DKIM1; p=!"']}
    ((level, says),) = about(await look(zone, RSA), "DKIM")
    assert level is Level.PROBLEM
    assert "is another one" in says


async def test_the_mail_servers_own_key_is_looked_up_by_its_selector() -> None:
    zone = {**SOUND, ("relay._domainkey.provider.test", "TXT"): [published(RSA)]}
    found = about(await look(zone, selectors=("relay", "old")), "DKIM")
    assert [level for level, _ in found] == [Level.GOOD, Level.PROBLEM]
    assert [level for level, _ in about(await look(zone), "DKIM")] == [Level.NOTE]


@pytest.mark.parametrize(
    ("name", "records", "level"),
    [
        ("_dmarc.provider.test", ['"v=DMARC1; p=none"'], Level.NOTE),
        ("_dmarc.provider.test", ['"v=DMARC1; p=quarantine; pct=100"'], Level.GOOD),
        ("_dmarc.provider.test", ['"v=DMARC1; p=sometimes"'], Level.PROBLEM),
        ("_dmarc.provider.test", ['"v=DMARC1; p=reject"', '"v=DMARC1; p=none"'], Level.PROBLEM),
        ("_dmarc.notices.provider.test", ['"v=DMARC1; p=reject"'], Level.GOOD),
    ],
)
async def test_dmarc_is_the_domains_own_or_that_of_the_one_above(name: str, records: list[str], level: Level) -> None:
    found = await look({(name, "TXT"): records}, domain="notices.provider.test")
    assert [each for each, _ in about(found, "DMARC")] == [level]


@pytest.mark.parametrize(
    ("zone", "level"),
    [
        ({(DOMAIN, "MX"): ["0 ."]}, Level.PROBLEM),
        ({(DOMAIN, "A"): ["192.0.2.1"]}, Level.GOOD),
        ({(DOMAIN, "TXT"): ['"x"']}, Level.PROBLEM),
    ],
)
async def test_a_domain_that_takes_no_mail_gets_no_bounce(zone: Zone, level: Level) -> None:
    assert [each for each, _ in about(await look(zone), "MX")] == [level]


async def test_the_servers_name_leads_back_to_its_address() -> None:
    zone: Zone = {
        ("1.2.0.9.in-addr.arpa", "PTR"): ["mail.relay.test."],
        ("2.2.0.9.in-addr.arpa", "PTR"): ["mail.relay.test."],
        ("mail.relay.test", "A"): ["9.0.2.1"],
    }
    async with dns_server(zone) as place:
        found = [
            await asyncio.to_thread(check_address, Records(place), address)
            for address in ("9.0.2.1", "9.0.2.2", "9.0.2.3", "10.0.0.1", "::1")
        ]
    assert [one.level for one in found] == [Level.GOOD, *[Level.NOTE] * 4]
    assert [one.says for one in found[:3]] == [
        "9.0.2.1 is called mail.relay.test, and that name leads back to it.",
        "9.0.2.2 is called mail.relay.test, which does not lead back to it.",
        "9.0.2.3 has no PTR record.",
    ]


async def test_a_dns_that_fails_is_no_finding_about_the_domain() -> None:
    with pytest.raises(Unavailable, match=r"does not answer about provider\.test"):
        await look({(DOMAIN, "TXT"): ["SERVFAIL"]})
