"""Write a revision: ``python -m migrations first`` or ``python -m migrations "add the hold table"``."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from config.database import Database
from config.keyring import Keyring
from migrations.compare import upgrade_code

VERSIONS = Path(__file__).with_name("versions")

_REVISION = '''"""{title}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {previous}


def upgrade() -> None:
    """{title}."""
    {body}
'''


def main(title: str) -> None:
    """Write the first revision anew, or one more that carries the tables from the last revision to today's."""
    first = title == "first"
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/empty.sqlite3", Keyring.create(Path(folder, "keyring.json")))
        if not first:
            database.migrate()
        with database.engine.connect() as connection:
            body = upgrade_code(connection, batch=not first)
        database.close()
    title = "Create the tables" if first else title[:1].upper() + title[1:].rstrip(".")
    last = 0 if first else max(int(path.name[:4]) for path in VERSIONS.glob("[0-9]*.py"))
    name = f"{last + 1:04}_{re.sub(r'[^a-z0-9]+', '_', title.lower()).strip('_')}.py"
    previous = f'"{last:04}"' if last else "None"
    (VERSIONS / name).write_text(_REVISION.format(title=title, number=f"{last + 1:04}", previous=previous, body=body))
    sys.stdout.write(f"migrations/versions/{name}: read it, then format it with ruff.\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__))
