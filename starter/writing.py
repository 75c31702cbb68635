"""Who writes notices, and through which mail server: as the settings name them."""

from __future__ import annotations

from datetime import timedelta

from activities.sending import MailSender
from config.database import Database
from config.keyring import Keyring
from config.settings import Organisation, Person, Settings
from mail.dkim import Signer, SigningKey, load_signing_key
from mail.facts import ContactPerson, Mailbox, Sender, Signatory, wire_address
from mail.links import LINK_PURPOSE
from mail.return_path import RETURN_PATH_PURPOSE, ReturnPath
from mail.smtp_server import Security, SmtpServer
from mail.templates import Templates, load_templates
from mail.transport import SmtpTransport
from records.mail_state import PauseRule
from records.outbox import NoticeWriter


def notice_writer(settings: Settings, keyring: Keyring) -> NoticeWriter:
    """What writes notices in the organisation's name."""
    smtp = settings.smtp
    return NoticeWriter(
        sender=Mailbox(name=settings.organisation.name, email=smtp.sender_address),
        organisation=sender_of(settings.organisation),
        message_id_domain=smtp.message_id_domain,
        public_url=settings.public_url,
        link_key=keyring.derive(LINK_PURPOSE),
        side=settings.side,
        templates=templates_of(settings),
        defaults=settings.defaults,
    )


def templates_of(settings: Settings) -> Templates:
    """What the installation's mails are written from.

    Raises:
        ConfigurationError: a template of its own cannot be read.
    """
    return load_templates(settings.templates)


def return_path(settings: Settings, keyring: Keyring) -> ReturnPath | None:
    """Where notices return to, if anything that comes back is read."""
    address = settings.bounces.address
    return ReturnPath(address, keyring.derive(RETURN_PATH_PURPOSE)) if address else None


def mail_sender(settings: Settings, keyring: Keyring, database: Database, transport: SmtpTransport) -> MailSender:
    """What hands over mails that are no notices."""
    return MailSender(
        database,
        transport,
        settings.smtp.sender_address,
        return_path(settings, keyring),
        probe_after=timedelta(minutes=settings.pause_minutes),
    )


def mail_transport(settings: Settings) -> SmtpTransport:
    """What hands messages to the mail server that the settings name, signed with the keys that they name.

    Raises:
        ConfigurationError: a key cannot be used.
    """
    keys = signing_keys(settings)
    return SmtpTransport(smtp_server(settings), Signer(keys) if keys else None)


def signing_keys(settings: Settings) -> list[SigningKey]:
    """The keys that mail is signed with.

    Raises:
        ConfigurationError: one cannot be used.
    """
    own = sender_domain(settings)
    return [load_signing_key(key.domain or own, key.selector, key.key_file) for key in settings.dkim]


def sender_domain(settings: Settings) -> str:
    """The domain that mail comes from, as the DNS has it."""
    return wire_address(settings.smtp.sender_address).rpartition("@")[2]


def smtp_server(settings: Settings) -> SmtpServer:
    """The mail server that the settings name."""
    smtp = settings.smtp
    return SmtpServer(
        host=smtp.host or "127.0.0.1",
        port=smtp.port,
        security=Security(smtp.security),
        username=smtp.username,
        password=smtp.password,
        connections=smtp.connections,
        timeout=smtp.timeout_seconds,
        data_timeout=smtp.answer_seconds,
        ca_file=smtp.ca_file,
        patience=smtp.patience_seconds,
        waiting=smtp.waiting_connections,
        rate=smtp.messages_per_second,
        domain_connections=smtp.domain_connections,
        domain_rate=smtp.domain_messages_per_minute,
        client_name=smtp.message_id_domain,
    )


def pause_rule(settings: Settings) -> PauseRule:
    """When mail is paused since too many refusals are alike, and for how long, as the settings say."""
    return PauseRule(settings.pause_after_refusals, timedelta(minutes=settings.pause_minutes))


def sender_of(organisation: Organisation) -> Sender:
    """The organisation as its notices name it."""
    signatory = organisation.signatory
    return Sender(
        organisation=organisation.name,
        contact=_contact(organisation.security_contact),
        signatory=Signatory(name=signatory.name, title=signatory.title),
        point_of_contact=_contact(organisation.point_of_contact),
        parents_contact=_contact(organisation.parents_contact),
        postal_address=_in_lines(organisation.postal_address) if organisation.postal_address else None,
    )


def manager_of(organisation: Organisation) -> Mailbox | None:
    """Whom the last step of every ladder goes to as well, if somebody is named."""
    manager = organisation.manager
    return Mailbox(name=manager.name, email=manager.email) if manager else None


def _in_lines(address: str) -> str:
    return "\n".join(line.strip() for line in address.split("|"))


def _contact(person: Person) -> ContactPerson:
    return ContactPerson(name=person.name, email=person.email, phone=person.phone)
