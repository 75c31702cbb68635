"""Create the tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_hash", sa.LargeBinary(), nullable=True),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("totp_pending", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.Integer(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lock_raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("name_key"),
    )
    op.create_table(
        "agreement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("lea_name", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("executed_on", sa.Date(), nullable=False),
        sa.Column("originally_signed_on", sa.Date(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("term_ends_on", sa.Date(), nullable=True),
        sa.Column("terminated_on", sa.Date(), nullable=True),
        sa.Column("renewal_expected_on", sa.Date(), nullable=True),
        sa.Column("disposed_end_on", sa.Date(), nullable=True),
        sa.Column("noted_end_on", sa.Date(), nullable=True),
        sa.Column("entered_on", sa.Date(), nullable=True),
        sa.Column("exhibit_h_note", sa.LargeBinary(), nullable=True),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_agreement_lea_name"), "agreement", ["lea_name"], unique=False)
    op.create_index(op.f("ix_agreement_reference"), "agreement", ["reference"], unique=True)
    op.create_index(op.f("ix_agreement_state"), "agreement", ["state"], unique=False)
    op.create_table(
        "artifact_outline",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_index(op.f("ix_artifact_outline_case_id"), "artifact_outline", ["case_id"], unique=False)
    op.create_table(
        "due_date",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "evidence",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("artifacts", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("key_digest"),
    )
    op.create_index(op.f("ix_evidence_case_id"), "evidence", ["case_id"], unique=False)
    op.create_table(
        "key_check",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("word", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "last_sweep",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_ahead", sa.Float(), nullable=False),
        sa.Column("workflow_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "ledger_check",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("says", sa.String(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=True),
        sa.Column("head", sa.String(length=64), nullable=True),
        sa.Column("artifacts", sa.Integer(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("timestamp_token", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "ledger_tile",
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number"),
    )
    op.create_table(
        "ledger_tree",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "mail_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("away_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_code", sa.Integer(), nullable=True),
        sa.Column("refused_status", sa.String(), nullable=True),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "object_to_go",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "quota_count",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(op.f("ix_quota_count_ends_at"), "quota_count", ["ends_at"], unique=False)
    op.create_table(
        "terms_snapshot",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "told_once",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("way", sa.String(length=32), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "way", "who"),
    )
    op.create_table(
        "vendor",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("link_number", sa.Integer(), nullable=False),
        sa.Column("link_digest", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("link_digest"),
    )
    op.create_table(
        "agreement_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("ended_by", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_back_by", sa.String(), nullable=True),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_back_because", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_agreement_change_agreement_id"), "agreement_change", ["agreement_id"], unique=False)
    op.create_table(
        "api_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(op.f("ix_api_token_account_id"), "api_token", ["account_id"], unique=False)
    op.create_table(
        "artifact",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("claimed", sa.Boolean(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("outline_sha256", sa.String(), nullable=True),
        sa.Column("object_sha256", sa.String(length=64), nullable=True),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["outline_sha256"],
            ["artifact_outline.sha256"],
        ),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_index(
        "artifact_unclaimed",
        "artifact",
        ["stored_at"],
        unique=False,
        sqlite_where=sa.text("NOT claimed"),
        postgresql_where=sa.text("NOT claimed"),
    )
    op.create_index(op.f("ix_artifact_case_id"), "artifact", ["case_id"], unique=False)
    op.create_table(
        "exhibit_h_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("entered_by", sa.String(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operation", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_exhibit_h_change_agreement_id"), "exhibit_h_change", ["agreement_id"], unique=False)
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_by", sa.String(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_because", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_legal_hold_agreement_id"), "legal_hold", ["agreement_id"], unique=False)
    op.create_table(
        "openid_identity",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
        sa.UniqueConstraint("account_id", "issuer"),
    )
    op.create_table(
        "passkey",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.String(length=1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.Integer(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("credential_id"),
    )
    op.create_index(op.f("ix_passkey_account_id"), "passkey", ["account_id"], unique=False)
    op.create_table(
        "school_calendar",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("closed_days", sa.JSON(), nullable=False),
        sa.Column("source_sha256", sa.String(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_school_calendar_agreement_id"), "school_calendar", ["agreement_id"], unique=False)
    op.create_table(
        "sign_in_token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("issued_by", sa.String(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(op.f("ix_sign_in_token_account_id"), "sign_in_token", ["account_id"], unique=False)
    op.create_table(
        "subprocessor",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_subprocessor_agreement_id"), "subprocessor", ["agreement_id"], unique=False)
    op.create_table(
        "upcoming_duty",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("clause", sa.String(), nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("owed_by", sa.String(length=32), nullable=False),
        sa.Column("performed_by", sa.String(length=32), nullable=False),
        sa.Column("due_date_id", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("internal_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("internal_why", sa.String(), nullable=True),
        sa.Column("target_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminded_days", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "target_at IS NOT DISTINCT FROM coalesce(internal_due_at, due_at)", name="upcoming_duty_target"
        ),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["due_date_id"],
            ["due_date.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_upcoming_duty_agreement_id"), "upcoming_duty", ["agreement_id"], unique=False)
    op.create_index("upcoming_duty_due", "upcoming_duty", ["target_at", "id"], unique=False)
    op.create_table(
        "web_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("authenticated", sa.String(length=32), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(op.f("ix_web_session_account_id"), "web_session", ["account_id"], unique=False)
    op.create_index(op.f("ix_web_session_ended_at"), "web_session", ["ended_at"], unique=False)
    op.create_table(
        "duenotice_case",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("clause", sa.String(length=120), nullable=True),
        sa.Column("occurrence", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.Column("report_digest", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("workflow_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("workflow_run_id", sa.String(length=64), nullable=True),
        sa.Column("trouble", sa.String(), nullable=True),
        sa.Column("trouble_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble_raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dismissal_reason_sha256", sa.String(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("responsible_id", sa.Uuid(), nullable=True),
        sa.Column("deputy_id", sa.Uuid(), nullable=True),
        sa.Column("undecided", sa.Boolean(), nullable=False),
        sa.Column("untold", sa.Boolean(), nullable=False),
        sa.Column("reopened_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["deputy_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["dismissal_reason_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["responsible_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("report_digest"),
    )
    op.create_index("duenotice_case_deputy", "duenotice_case", ["deputy_id", "responsible_id", "id"], unique=False)
    op.create_index("duenotice_case_kind", "duenotice_case", ["kind", "status"], unique=False)
    op.create_index("duenotice_case_open", "duenotice_case", ["closed_at", "kind", "id"], unique=False)
    op.create_index("duenotice_case_responsible", "duenotice_case", ["responsible_id", "deputy_id", "id"], unique=False)
    op.create_index("duenotice_case_status", "duenotice_case", ["status", "opened_at"], unique=False)
    op.create_index(
        "duenotice_case_stuck",
        "duenotice_case",
        ["id"],
        unique=False,
        sqlite_where=sa.text("trouble IS NOT NULL OR workflow_started_at IS NULL"),
        postgresql_where=sa.text("trouble IS NOT NULL OR workflow_started_at IS NULL"),
    )
    op.create_index(
        "duenotice_case_undecided",
        "duenotice_case",
        ["id"],
        unique=False,
        sqlite_where=sa.text("undecided"),
        postgresql_where=sa.text("undecided"),
    )
    op.create_index(
        "duenotice_case_untold",
        "duenotice_case",
        ["id"],
        unique=False,
        sqlite_where=sa.text("untold"),
        postgresql_where=sa.text("untold"),
    )
    op.create_index(op.f("ix_duenotice_case_changed_at"), "duenotice_case", ["changed_at"], unique=False)
    op.create_index(op.f("ix_duenotice_case_opened_at"), "duenotice_case", ["opened_at"], unique=False)
    op.create_table(
        "sign_in_challenge",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("back", sa.String(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["web_session.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(op.f("ix_sign_in_challenge_expires_at"), "sign_in_challenge", ["expires_at"], unique=False)
    op.create_table(
        "agreement_contact",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("party", sa.String(length=32), nullable=True),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.LargeBinary(), nullable=False),
        sa.Column("postal_address", sa.LargeBinary(), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_agreement_contact_agreement_id"), "agreement_contact", ["agreement_id"], unique=False)
    op.create_index(op.f("ix_agreement_contact_case_id"), "agreement_contact", ["case_id"], unique=False)
    op.create_table(
        "case_act",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("act", sa.String(length=60), nullable=False),
        sa.Column("clause", sa.String(), nullable=True),
        sa.Column("reason_sha256", sa.String(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["reason_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_case_act_case_id"), "case_act", ["case_id"], unique=False)
    op.create_table(
        "case_agreement",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("terms_hash", sa.String(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["terms_hash"],
            ["terms_snapshot.hash"],
        ),
        sa.PrimaryKeyConstraint("case_id", "agreement_id"),
    )
    op.create_index("case_agreement_agreement", "case_agreement", ["agreement_id", "case_id"], unique=False)
    op.create_table(
        "case_anchor",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("instant", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("reason_sha256", sa.String(), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["reason_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_case_anchor_case_id"), "case_anchor", ["case_id"], unique=False)
    op.create_table(
        "case_document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("element", sa.String(), nullable=False),
        sa.Column("file_name", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["content_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("case_document_case_agreement", "case_document", ["case_id", "agreement_id"], unique=False)
    op.create_table(
        "case_erasure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("reason_sha256", sa.String(), nullable=False),
        sa.Column("proposed_by", sa.String(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["reason_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "case_erasure_open",
        "case_erasure",
        ["case_id"],
        unique=False,
        sqlite_where=sa.text("decided_at IS NULL"),
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_index(op.f("ix_case_erasure_case_id"), "case_erasure", ["case_id"], unique=False)
    op.create_table(
        "case_fact",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("element", sa.String(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_case_fact_case_id"), "case_fact", ["case_id"], unique=False)
    op.create_table(
        "case_file",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["content_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("case_id", "number"),
    )
    op.create_table(
        "case_key",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("destroyed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["duenotice_case.id"], initially="DEFERRED", deferrable=True),
        sa.PrimaryKeyConstraint("case_id"),
    )
    op.create_table(
        "cost",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("cents", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("receipt_sha256", sa.String(), nullable=True),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["receipt_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_cost_case_id"), "cost", ["case_id"], unique=False)
    op.create_table(
        "hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("particulars_sha256", sa.String(), nullable=False),
        sa.Column("shareable", sa.Boolean(), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_by", sa.String(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["particulars_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_hold_case_id"), "hold", ["case_id"], unique=False)
    op.create_table(
        "lifted_conflict",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("keeping_id", sa.Uuid(), nullable=False),
        sa.Column("reason_sha256", sa.String(), nullable=False),
        sa.Column("lifted_by", sa.String(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["keeping_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["reason_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id", "keeping_id"),
    )
    op.create_index(op.f("ix_lifted_conflict_keeping_id"), "lifted_conflict", ["keeping_id"], unique=False)
    op.create_table(
        "not_yet_decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_sha256", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["decided_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_not_yet_decision_case_id"), "not_yet_decision", ["case_id"], unique=False)
    op.create_table(
        "handed_over",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("handed_by", sa.String(), nullable=False),
        sa.Column("handed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erase_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("link_number", sa.Integer(), nullable=False),
        sa.Column("link_digest", sa.String(length=64), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fetches", sa.Integer(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["agreement_contact.id"],
        ),
        sa.ForeignKeyConstraint(
            ["content_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("link_digest"),
    )
    op.create_index(op.f("ix_handed_over_case_id"), "handed_over", ["case_id"], unique=False)
    op.create_index(op.f("ix_handed_over_content_sha256"), "handed_over", ["content_sha256"], unique=False)
    op.create_index(op.f("ix_handed_over_erase_at"), "handed_over", ["erase_at"], unique=False)
    op.create_table(
        "holder_task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("owing_contact_id", sa.Uuid(), nullable=True),
        sa.Column("directed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("internal_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("awaited_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("refused_sha256", sa.String(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("link_number", sa.Integer(), nullable=False),
        sa.Column("link_digest", sa.String(length=64), nullable=True),
        sa.Column("link_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("vendor_id", sa.Uuid(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["agreement_contact.id"],
        ),
        sa.ForeignKeyConstraint(
            ["owing_contact_id"],
            ["agreement_contact.id"],
        ),
        sa.ForeignKeyConstraint(
            ["refused_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["vendor_id"],
            ["vendor.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("link_digest"),
    )
    op.create_index(
        "holder_task_answered",
        "holder_task",
        ["case_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("status = 'answered'"),
        postgresql_where=sa.text("status = 'answered'"),
    )
    op.create_index(
        "holder_task_awaited",
        "holder_task",
        ["holder", "case_id", "status"],
        unique=False,
        sqlite_where=sa.text("status IN ('open', 'answered')"),
        postgresql_where=sa.text("status IN ('open', 'answered')"),
    )
    op.create_index("holder_task_case_again", "holder_task", ["case_id", "again_at"], unique=False)
    op.create_index(op.f("ix_holder_task_vendor_id"), "holder_task", ["vendor_id"], unique=False)
    op.create_table(
        "sent_mail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sort", sa.String(length=60), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("belongs_to", sa.Uuid(), nullable=True),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("who", sa.String(), nullable=True),
        sa.Column("email", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("message_sha256", sa.String(), nullable=True),
        sa.Column("bounced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=True),
        sa.Column("says", sa.LargeBinary(), nullable=True),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["agreement_contact.id"],
        ),
        sa.ForeignKeyConstraint(
            ["message_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_sent_mail_case_id"), "sent_mail", ["case_id"], unique=False)
    op.create_index(
        "sent_mail_failing",
        "sent_mail",
        ["belongs_to"],
        unique=False,
        sqlite_where=sa.text("(bounced_at IS NOT NULL OR outcome = 'rejected')"),
        postgresql_where=sa.text("(bounced_at IS NOT NULL OR outcome = 'rejected')"),
    )
    op.create_index(
        "sent_mail_untold",
        "sent_mail",
        ["bounced_at"],
        unique=False,
        sqlite_where=sa.text("bounced_at IS NOT NULL AND raised_at IS NULL"),
        postgresql_where=sa.text("bounced_at IS NOT NULL AND raised_at IS NULL"),
    )
    op.create_table(
        "holder_answer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("said_sha256", sa.String(), nullable=False),
        sa.Column("receipt_sha256", sa.String(), nullable=True),
        sa.Column("receipt_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("backups_expire_on", sa.Date(), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_by", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("early", sa.Boolean(), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["receipt_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["said_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["holder_task.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_holder_answer_case_id"), "holder_answer", ["case_id"], unique=False)
    op.create_index(op.f("ix_holder_answer_task_id"), "holder_answer", ["task_id"], unique=False)
    op.create_table(
        "proposal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("clause", sa.String(), nullable=True),
        sa.Column("ground", sa.String(), nullable=True),
        sa.Column("agreements", sa.JSON(), nullable=False),
        sa.Column("reason_sha256", sa.String(), nullable=True),
        sa.Column("proof_sha256", sa.String(), nullable=True),
        sa.Column("how_sha256", sa.String(), nullable=True),
        sa.Column("to_whom_sha256", sa.String(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proposed_by", sa.String(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.String(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_reason_sha256", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["how_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["proof_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["reason_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["holder_task.id"],
        ),
        sa.ForeignKeyConstraint(
            ["to_whom_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["undone_reason_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_proposal_case_id"), "proposal", ["case_id"], unique=False)
    op.create_index(
        "proposal_open",
        "proposal",
        ["case_id"],
        unique=False,
        sqlite_where=sa.text("decided_at IS NULL"),
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_table(
        "duty",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("clause", sa.String(), nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("owed_by", sa.String(length=32), nullable=False),
        sa.Column("owed_to", sa.String(length=32), nullable=False),
        sa.Column("performed_by", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("due_date_id", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("internal_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("internal_why", sa.String(), nullable=True),
        sa.Column("internal_raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("target_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("performed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(length=32), nullable=True),
        sa.Column("performed_under", sa.Uuid(), nullable=True),
        sa.Column("lacking", sa.JSON(), nullable=False),
        sa.Column("lacking_count", sa.Integer(), nullable=False),
        sa.Column("waits_for", sa.JSON(), nullable=False),
        sa.Column("needed_count", sa.Integer(), nullable=False),
        sa.Column("needed_told", sa.Integer(), nullable=False),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("target_at IS NOT DISTINCT FROM coalesce(internal_due_at, due_at)", name="duty_target"),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["due_date_id"],
            ["due_date.id"],
        ),
        sa.ForeignKeyConstraint(
            ["performed_under"],
            ["proposal.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("duty_agreement_due", "duty", ["agreement_id", "due_at", "id"], unique=False)
    op.create_index("duty_case_status", "duty", ["case_id", "status", "due_at", "target_at"], unique=False)
    op.create_index("duty_clause_due", "duty", ["clause", "due_at", "id"], unique=False)
    op.create_index("duty_due", "duty", ["due_at", "id"], unique=False)
    op.create_index(
        "duty_internal",
        "duty",
        ["status", "internal_due_at", "due_at", "case_id"],
        unique=False,
        sqlite_where=sa.text("status = 'running' AND internal_due_at IS NOT NULL"),
        postgresql_where=sa.text("status = 'running' AND internal_due_at IS NOT NULL"),
    )
    op.create_index(
        "duty_lacking",
        "duty",
        ["status", "case_id", "performed_at"],
        unique=False,
        sqlite_where=sa.text("status = 'performed' AND lacking_count > 0"),
        postgresql_where=sa.text("status = 'performed' AND lacking_count > 0"),
    )
    op.create_index(
        "duty_needed",
        "duty",
        ["status", "case_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("status = 'running' AND needed_count > 0"),
        postgresql_where=sa.text("status = 'running' AND needed_count > 0"),
    )
    op.create_index(
        "duty_open_case_due",
        "duty",
        ["case_id", "target_at", "status", "due_at"],
        unique=False,
        sqlite_where=sa.text(
            "status NOT IN ('performed', 'not_required', 'cancelled', 'elapsed') AND target_at IS NOT NULL"
        ),
        postgresql_where=sa.text(
            "status NOT IN ('performed', 'not_required', 'cancelled', 'elapsed') AND target_at IS NOT NULL"
        ),
    )
    op.create_index(
        "duty_open_due",
        "duty",
        ["target_at", "case_id", "status", "due_at"],
        unique=False,
        sqlite_where=sa.text(
            "status NOT IN ('performed', 'not_required', 'cancelled', 'elapsed') AND target_at IS NOT NULL"
        ),
        postgresql_where=sa.text(
            "status NOT IN ('performed', 'not_required', 'cancelled', 'elapsed') AND target_at IS NOT NULL"
        ),
    )
    op.create_index(
        "duty_reopened",
        "duty",
        ["status", "case_id", "due_at", "reopened_at"],
        unique=False,
        sqlite_where=sa.text("status = 'running' AND reopened_at IS NOT NULL"),
        postgresql_where=sa.text("status = 'running' AND reopened_at IS NOT NULL"),
    )
    op.create_index("duty_status_due", "duty", ["status", "due_at", "case_id"], unique=False)
    op.create_index("duty_verdict_due", "duty", ["verdict", "due_at", "id"], unique=False)
    op.create_index(op.f("ix_duty_case_id"), "duty", ["case_id"], unique=False)
    op.create_index(op.f("ix_duty_due_date_id"), "duty", ["due_date_id"], unique=False)
    op.create_table(
        "withholding",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("clause", sa.String(), nullable=True),
        sa.Column("reason_sha256", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposal_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.id"],
        ),
        sa.ForeignKeyConstraint(
            ["reason_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_withholding_case_id"), "withholding", ["case_id"], unique=False)
    op.create_table(
        "batch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("clause", sa.String(), nullable=False),
        sa.Column("due_date_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("internal_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leaves_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_safe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withheld_under", sa.Uuid(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.String(), nullable=True),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.String(), nullable=True),
        sa.Column("trouble_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ledger_head", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["due_date_id"],
            ["due_date.id"],
        ),
        sa.ForeignKeyConstraint(
            ["withheld_under"],
            ["withholding.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "batch_drafts",
        "batch",
        ["status", "released_by", "case_id", "due_at", "internal_due_at", "leaves_at", "size"],
        unique=False,
    )
    op.create_index("batch_status_id", "batch", ["status", "id"], unique=False)
    op.create_index(op.f("ix_batch_case_id"), "batch", ["case_id"], unique=False)
    op.create_table(
        "confirmation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("duty_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("particulars_sha256", sa.String(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["agreement_contact.id"],
        ),
        sa.ForeignKeyConstraint(
            ["duty_id"],
            ["duty.id"],
        ),
        sa.ForeignKeyConstraint(
            ["particulars_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_confirmation_case_id"), "confirmation", ["case_id"], unique=False)
    op.create_index(op.f("ix_confirmation_duty_id"), "confirmation", ["duty_id"], unique=False)
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("duty_id", sa.Uuid(), nullable=False),
        sa.Column("also_performs", sa.JSON(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("given", sa.JSON(), nullable=False),
        sa.Column("lacking", sa.JSON(), nullable=False),
        sa.Column("composed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dropped", sa.Boolean(), nullable=False),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("has_link", sa.Boolean(), nullable=False),
        sa.Column("offers", sa.Boolean(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("silent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("link_generation", sa.Integer(), nullable=False),
        sa.Column("link_revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("link_refusals", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batch.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["duty_id"],
            ["duty.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_notice_batch_id"), "notice", ["batch_id"], unique=False)
    op.create_index(op.f("ix_notice_case_id"), "notice", ["case_id"], unique=False)
    op.create_index(op.f("ix_notice_duty_id"), "notice", ["duty_id"], unique=False)
    op.create_index(op.f("ix_notice_given_at"), "notice", ["given_at"], unique=False)
    op.create_table(
        "answer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("notice_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=True),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("text", sa.LargeBinary(), nullable=True),
        sa.Column("ground", sa.String(), nullable=True),
        sa.Column("recorded_by", sa.String(), nullable=True),
        sa.Column("said_sha256", sa.String(), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["notice.id"],
        ),
        sa.ForeignKeyConstraint(
            ["said_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "answer_open",
        "answer",
        ["case_id", "kind"],
        unique=False,
        sqlite_where=sa.text("seen_at IS NULL AND kind <> 'acknowledged'"),
        postgresql_where=sa.text("seen_at IS NULL AND kind <> 'acknowledged'"),
    )
    op.create_index(op.f("ix_answer_case_id"), "answer", ["case_id"], unique=False)
    op.create_index(op.f("ix_answer_notice_id"), "answer", ["notice_id"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("notice_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("message_sha256", sa.String(), nullable=False),
        sa.Column("is_copy", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("vouched_by", sa.String(), nullable=True),
        sa.Column("reserved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("may_be_there_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("reply_code", sa.Integer(), nullable=True),
        sa.Column("reply_status", sa.String(), nullable=True),
        sa.Column("queue_id", sa.String(), nullable=True),
        sa.Column("tls_version", sa.String(), nullable=True),
        sa.Column("tls_certificate", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["agreement_contact.id"],
        ),
        sa.ForeignKeyConstraint(
            ["message_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["notice.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_delivery_message_id"), "delivery", ["message_id"], unique=False)
    op.create_index(op.f("ix_delivery_notice_id"), "delivery", ["notice_id"], unique=False)
    op.create_index(op.f("ix_delivery_status"), "delivery", ["status"], unique=False)
    op.create_table(
        "postal_letter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("notice_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("letter_sha256", sa.String(), nullable=False),
        sa.Column("words_sha256", sa.String(), nullable=False),
        sa.Column("enclosed", sa.JSON(), nullable=False),
        sa.Column("given", sa.JSON(), nullable=False),
        sa.Column("lacking", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("printed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("printed_by", sa.String(), nullable=True),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_for", sa.String(length=32), nullable=True),
        sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mailed_by", sa.String(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("service", sa.String(length=32), nullable=True),
        sa.Column("tracking_number", sa.LargeBinary(), nullable=True),
        sa.Column("receipt_sha256", sa.String(), nullable=True),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("took_effect_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["agreement_contact.id"],
        ),
        sa.ForeignKeyConstraint(
            ["letter_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["notice.id"],
        ),
        sa.ForeignKeyConstraint(
            ["receipt_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["words_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_postal_letter_case_id"), "postal_letter", ["case_id"], unique=False)
    op.create_index(op.f("ix_postal_letter_contact_id"), "postal_letter", ["contact_id"], unique=False)
    op.create_index(op.f("ix_postal_letter_notice_id"), "postal_letter", ["notice_id"], unique=False)
    op.create_index("postal_letter_effective", "postal_letter", ["took_effect_at", "effective_at"], unique=False)
    op.create_index(
        "postal_letter_waits",
        "postal_letter",
        ["notice_id"],
        unique=False,
        sqlite_where=sa.text("mailed_at IS NULL AND replaced_at IS NULL"),
        postgresql_where=sa.text("mailed_at IS NULL AND replaced_at IS NULL"),
    )
    op.create_table(
        "delivery_report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("of_contact", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=True),
        sa.Column("says", sa.LargeBinary(), nullable=True),
        sa.Column("via", sa.String(length=20), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("report_sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["delivery.id"],
        ),
        sa.ForeignKeyConstraint(
            ["report_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_delivery_report_delivery_id"), "delivery_report", ["delivery_id"], unique=False)
    op.create_table(
        "letter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("act_id", sa.Uuid(), nullable=False),
        sa.Column("answer_id", sa.Uuid(), nullable=True),
        sa.Column("duty_id", sa.Uuid(), nullable=True),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("is_copy", sa.Boolean(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("text_sha256", sa.String(), nullable=False),
        sa.Column("message_sha256", sa.String(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("written_by", sa.String(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["answer_id"],
            ["answer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["duenotice_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["agreement_contact.id"],
        ),
        sa.ForeignKeyConstraint(
            ["duty_id"],
            ["duty.id"],
        ),
        sa.ForeignKeyConstraint(
            ["message_sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["text_sha256"],
            ["artifact.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_letter_act_id"), "letter", ["act_id"], unique=False)
    op.create_index(op.f("ix_letter_answer_id"), "letter", ["answer_id"], unique=False)
    op.create_index(op.f("ix_letter_case_id"), "letter", ["case_id"], unique=False)
    op.create_index(op.f("ix_letter_duty_id"), "letter", ["duty_id"], unique=False)
    op.create_index("letter_status_again", "letter", ["status", "again_at"], unique=False)
