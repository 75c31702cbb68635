"""Seal the ledger: begin its chain, and let the database itself refuse to change or remove an entry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# SHA-256 of "duenotice ledger 1", as ledger.chain.GENESIS says; a test holds the two together.
GENESIS = "caf68edd3bf29b0ff10e680dc4d01c1aaafeecf778ef64800dbc532701eba8c7"

SQLITE = (
    """
    CREATE TRIGGER evidence_is_never_changed BEFORE UPDATE ON evidence
    BEGIN SELECT RAISE(ABORT, 'evidence is append-only: an entry is never changed'); END
    """,
    """
    CREATE TRIGGER evidence_is_never_removed BEFORE DELETE ON evidence
    BEGIN SELECT RAISE(ABORT, 'evidence is append-only: an entry is never removed'); END
    """,
    # INSERT OR REPLACE removes what is in its way without firing the trigger above.
    """
    CREATE TRIGGER evidence_is_never_replaced BEFORE INSERT ON evidence
    WHEN EXISTS (SELECT 1 FROM evidence WHERE number = NEW.number OR key_digest = NEW.key_digest)
    BEGIN SELECT RAISE(ABORT, 'evidence is append-only: an entry is never replaced'); END
    """,
)

POSTGRESQL = (
    """
    CREATE FUNCTION evidence_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'evidence is append-only: an entry is never changed or removed'; END $$
    """,
    """
    CREATE TRIGGER evidence_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence
    FOR EACH STATEMENT EXECUTE FUNCTION evidence_is_append_only()
    """,
)


def upgrade() -> None:
    """Begin the chain and guard it."""
    op.execute(sa.text("INSERT INTO ledger_head (id, length, hash) VALUES (1, 0, :hash)").bindparams(hash=GENESIS))
    op.execute(sa.text("INSERT INTO ledger_tree (id, size) VALUES (1, 0)"))
    for statement in SQLITE if op.get_context().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
