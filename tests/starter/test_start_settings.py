"""A start that is sure of itself: nonsense in any setting is one sentence, and keys that others know are refused."""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from config.keyring import Keyring
from config.settings import PREFIX, Settings, load_settings
from models.errors import ConfigurationError, DuenoticeError, Unavailable
from starter import resources
from starter.bounce_ways import imap_server
from starter.metrics import sdk_runtime
from starter.outages import Alarm
from starter.resources import Resources, connect_client, lead_times, open_database
from starter.writing import mail_transport, return_path
from terms.catalogue import load_catalogue
from tests.support.stories import story_keyring
from web.app import create_app

NO_NUMBERS = ("nonsense", "-1", "9" * 30, "12345678901", "1e400", "nan", "[", "{}")
NO_TEXTS = (
    *("nonsense", "-1", "[", "null", "\N{SNOWMAN}", "x" * 3000, "/nowhere/at/all", "a\nb", " "),
    *("127.0.0.1:99999999", "http://[::1", "sqlite:////proc/none/there"),
)
"""What nobody means, of whatever a setting may hold."""

SECRET = ("PASSWORD", "SECRET", "ACCESS_KEY", "TOKEN", "SIGNING_KEY", "DATABASE_URL", "ALERT_URLS")

TEMPORAL = (
    *("ADDRESS", "NAMESPACE", "API_KEY", "TLS", "TLS_CLIENT_CERT_PATH", "TLS_CLIENT_CERT_DATA", "TLS_CLIENT_KEY_PATH"),
    *("TLS_SERVER_CA_CERT_PATH", "TLS_SERVER_NAME", "CONFIG_FILE", "PROFILE"),
)


def settings_of(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, bool]]:
    """The variable of every setting, and of every group of them, each with whether it takes numbers."""
    for name, field in model.model_fields.items():
        path = (*above, name)
        yield PREFIX + "__".join(path).upper(), any(kind in str(field.annotation) for kind in ("int", "float", "bool"))
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from settings_of(inner, path)


VARIABLES = dict(settings_of(Settings))


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith((PREFIX, "TEMPORAL_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


WEB = ("PUBLIC_URL", "OIDC_", "TIME_ZONE", "ORGANISATION__NAME", "METRICS__TOKEN")
"""The settings that are texts and that the web is made with: making it takes longer than all else."""


async def start(settings: Settings, keyring: Keyring, *, web: bool) -> None:
    """Make what a start makes, save for what runs."""
    if "keyring" in settings.model_fields_set:
        keyring = Keyring.load(settings.keyring)
    catalogue = load_catalogue()
    leads = lead_times(settings, catalogue)
    database = open_database(settings, keyring)
    try:
        client = await connect_client(settings, keyring, "127.0.0.1:1", lazy=True)
        mail_transport(settings)
        imap_server(settings)
        return_path(settings, keyring)
        Alarm(settings, keyring)
        sdk_runtime(settings)
        if web:
            create_app(Resources(settings, keyring, database, catalogue, client, leads))
    finally:
        database.close()


def test_every_setting_is_tried() -> None:
    assert len(VARIABLES) > 100
    assert {"DUENOTICE_SMTP__HOST", "DUENOTICE_DEFAULTS__ACCESS_DAYS", "DUENOTICE_METRICS__TOKEN"} <= set(VARIABLES)


@pytest.mark.parametrize("variable", VARIABLES)
async def test_nonsense_in_a_setting_is_one_sentence_or_can_be_used(
    variable: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in NO_NUMBERS if VARIABLES[variable] else NO_TEXTS:
        monkeypatch.setenv(variable, value)
        try:
            settings = load_settings()
            assert not (VARIABLES[variable] and len(value) == 30), "a number has an upper bound"
            if not VARIABLES[variable]:  # a number that is taken can be counted with
                await start(settings, keyring, web=variable.removeprefix(PREFIX).startswith(WEB))
        except DuenoticeError as refused:
            said = str(refused)
            assert "\n" not in said
            assert not (variable.endswith(SECRET) and len(value) > 4 and value in said), "secrets are not repeated"
            assert said.endswith((".", "?", "}."))


@pytest.mark.parametrize("variable", [f"TEMPORAL_{name}" for name in TEMPORAL])
async def test_nonsense_in_temporals_own_settings_is_one_sentence(
    variable: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    (tmp_path / "bad.toml").write_text("[[[")
    for value in ("nonsense", "http://[::1", "a:b:c", "127.0.0.1:99999999", "[", " ", str(tmp_path / "bad.toml")):
        monkeypatch.setenv(variable, value)
        with pytest.raises(DuenoticeError) as refused:
            await connect_client(load_settings(), keyring)
        assert "\n" not in str(refused.value)


async def test_a_temporal_server_that_never_answers_is_not_waited_for(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "CONNECT_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        address = f"127.0.0.1:{frozen.getsockname()[1]}"
        with pytest.raises(Unavailable, match="The Temporal server does not answer"):
            await connect_client(Settings(), keyring, address)


class TestKnownKeys:
    """A key that others know seals nothing."""

    def keyring_of(self, folder: Path, secret: bytes) -> Keyring:
        key = {"id": "typed", "created_at": "2026-01-01T00:00:00Z", "secret": base64.b64encode(secret).decode()}
        file = folder / "typed.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"format": "duenotice-keyring/1", "keys": [key]}), "utf-8")
        return Keyring.load(file)

    def test_production_refuses_the_key_that_stands_in_the_repository(self, tmp_path: Path) -> None:
        keyring = story_keyring(tmp_path)
        local = Settings(home=tmp_path)
        open_database(local, keyring).close()
        production = local.model_copy(update={"environment": "production"})
        with pytest.raises(ConfigurationError, match="stands in a public repository") as refused:
            open_database(production, keyring)
        assert "Make another with `duenotice keyring create`" in str(refused.value)

    @pytest.mark.parametrize("secret", [bytes(32), b"a" * 32, b"0123456789" * 3 + b"01", b"password" * 4])
    def test_a_key_that_somebody_typed_is_refused(self, tmp_path: Path, secret: bytes) -> None:
        with pytest.raises(ConfigurationError, match="was not drawn at random"):
            self.keyring_of(tmp_path, secret).refuse_known_keys()

    def test_one_such_key_among_others_is_enough(self, tmp_path: Path) -> None:
        self.keyring_of(tmp_path, bytes(32))
        with pytest.raises(ConfigurationError, match="The key typed of this keyring"):
            Keyring.rotate(tmp_path / "typed.json").refuse_known_keys()

    def test_keys_that_the_program_made_are_taken(self, tmp_path: Path) -> None:
        Keyring.create(tmp_path / "own.json").refuse_known_keys()
        Keyring.rotate(tmp_path / "own.json").refuse_known_keys()
