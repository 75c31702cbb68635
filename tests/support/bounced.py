"""An engine whose notices come back: an LEA with two contacts, the return path of its notice, and what takes it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from agreements.importing import import_agreements
from config.settings import Bounces
from mail.return_path import RETURN_PATH_PURPOSE, ReturnPath
from models.enums import DeliveryStatus
from models.tables import Delivery, Notice
from queries.views import DutyView
from starter.bounces import BounceIntake
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import Resources, utc_now
from tests.support.incidents import NOTICE, OFFICER, duties, incident, only_notice, open_case

BOUNCES = "bounces@provider.example.org"


@dataclass(frozen=True)
class Told:
    """A case whose notice was given to the first contact of an LEA in Maine."""

    engine: VirtualEngine
    case_id: UUID
    office: str
    deputy: str

    @property
    def delivery(self) -> Delivery:
        """The first message of the case."""
        with self.engine.resources.database.reading() as session:
            found = session.exec(
                select(Delivery)
                .join(Notice, col(Notice.id) == col(Delivery.notice_id))
                .where(Notice.case_id == self.case_id)
                .order_by(col(Delivery.reserved_at))
            ).first()
        assert found
        return found

    @property
    def return_path(self) -> str:
        """Where it returns to."""
        return self._path.of(self.delivery.id, self.delivery.attempts)

    @property
    def envelope_id(self) -> str:
        """What its envelope was called."""
        return self._path.token(self.delivery.id, self.delivery.attempts)

    @property
    def _path(self) -> ReturnPath:
        return ReturnPath(BOUNCES, self.engine.resources.keyring.derive(RETURN_PATH_PURPOSE))

    @property
    def duty(self) -> DutyView:
        """The duty that its notice performs."""
        return duties(self.engine, self.case_id, "ME")[NOTICE]

    @property
    def outbox(self) -> list[tuple[str, DeliveryStatus]]:
        """Whom the notice went to, and what became of it."""
        return [(each.contact_email, each.status) for each in only_notice(self.duty).deliveries]

    def resources(self, **bounces: object) -> Resources:
        """The engine's parts, with settings of what comes back."""
        read = Bounces.model_validate({"address": BOUNCES, **bounces})
        settings = self.engine.resources.settings.model_copy(update={"bounces": read})
        return replace(self.engine.resources, settings=settings)

    def intake(self, clock: Callable[[], datetime] = utc_now) -> BounceIntake:
        """What takes in what comes back."""
        return BounceIntake(self.resources(), clock)


async def tell(engine: VirtualEngine, reference: str, **settings: object) -> Told:
    """Import an LEA with two contacts, and give the first of them a notice; its case stays open meanwhile."""
    office, deputy = (f"{who}@{reference.lower()}.example.org" for who in ("office", "deputy"))
    import_agreements(
        engine.resources.database,
        engine.resources.catalogue,
        "reference,form,lea_name,state,time_zone,executed_on,general_name,general_email\n"
        f"{reference},ndpa-v1,District {reference},ME,America/New_York,2025-01-12,Office;Deputy,{office};{deputy}\n",
        file_name="two.csv",
        now=utc_now(),
        actor=OFFICER,
    )
    case_id = await open_case(
        engine,
        incident(reference, confirmed=utc_now()),
        **({"release": "immediate", "chase_hours": (2000,)} | settings),
    )
    return Told(engine, case_id, office, deputy)
