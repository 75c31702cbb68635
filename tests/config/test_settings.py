"""Settings: read once, frozen, and refused with a sentence that names the variable and never its value."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.keyring import Keyring
from config.settings import Settings, load_settings, temporal_connection
from ledger.log_keys import create_log_key
from models.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("DUENOTICE_", "TEMPORAL_")):
            monkeypatch.delenv(name)


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A complete production environment, for tests to take one thing away from."""
    keyring = tmp_path / "keyring.json"
    Keyring.create(keyring)
    create_log_key(tmp_path / "elsewhere" / "log-key.json", "duenotice.provider.test", datetime.now(UTC))
    for name, value in {
        "ENVIRONMENT": "production",
        "KEYRING": str(keyring),
        "LOG_KEY": str(tmp_path / "elsewhere" / "log-key.json"),
        "PUBLIC_URL": "https://duenotice.provider.test",
        "DATABASE_URL": "postgresql://duenotice:hunter2@db.provider.test/duenotice?sslmode=verify-full",
        "SMTP__HOST": "mail.provider.test",
        "SMTP__SENDER_ADDRESS": "notices@provider.test",
        "SMTP__MESSAGE_ID_DOMAIN": "provider.test",
        "ORGANISATION__NAME": "Provider of Tests",
        "ORGANISATION__CONTACT__NAME": "Privacy",
        "ORGANISATION__CONTACT__EMAIL": "privacy@provider.test",
        "ORGANISATION__CONTACT__PHONE": "+1 555 0199",
        "ORGANISATION__SECURITY_CONTACT__NAME": "Security",
        "ORGANISATION__SECURITY_CONTACT__EMAIL": "security@provider.test",
        "ORGANISATION__SECURITY_CONTACT__PHONE": "+1 555 0198",
        "ORGANISATION__SIGNATORY__NAME": "Pat Officer",
        "ORGANISATION__SIGNATORY__TITLE": "Privacy Officer",
        "ORGANISATION__POINT_OF_CONTACT__NAME": "Pat Officer",
        "ORGANISATION__POINT_OF_CONTACT__EMAIL": "pat@provider.test",
        "ORGANISATION__POINT_OF_CONTACT__PHONE": "+1 555 0197",
        "ORGANISATION__PARENTS_CONTACT__NAME": "Kim Employee",
        "ORGANISATION__PARENTS_CONTACT__EMAIL": "kim@provider.test",
        "ORGANISATION__PARENTS_CONTACT__PHONE": "+1 555 0196",
    }.items():
        monkeypatch.setenv(f"DUENOTICE_{name}", value)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.provider.test:7233")
    monkeypatch.setenv("TEMPORAL_API_KEY", "an API key")
    return monkeypatch


def test_one_machine_needs_no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.environment == "local"
    assert settings.home == tmp_path / ".duenotice"
    assert settings.keyring == tmp_path / ".duenotice" / "keyring.json"
    assert settings.database_url.get_secret_value() == f"sqlite:///{tmp_path}/.duenotice/duenotice.sqlite3"
    assert settings.smtp.host is None
    assert settings.organisation.contact.email.endswith("example.org")


def test_a_variable_sets_one_field_of_a_group_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUENOTICE_SMTP__PORT", "2525")
    monkeypatch.setenv("DUENOTICE_ORGANISATION__CONTACT__PHONE", "+1 555 0142")
    settings = load_settings()
    assert settings.smtp.port == 2525
    assert settings.smtp.timeout_seconds == 30
    assert settings.organisation.contact.phone == "+1 555 0142"
    assert settings.organisation.contact.email == "privacy@provider.example.org"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DUENOTICE_SMTP__PORT", "70000", "less than or equal to 65535"),
        ("DUENOTICE_SMTP__PROT", "25", "no such setting"),
        ("DUENOTICE_RELAESE", "immediate", "Did you mean DUENOTICE_RELEASE?"),
        ("DUENOTICE_RELEASE", "never", "'officer' or 'immediate'"),
        ("DUENOTICE_REMINDER_FRACTIONS", "[0.9, 0.5]", "must rise"),
        ("DUENOTICE_REMINDER_FRACTIONS", "[0.5, 1.5]", "less than 1"),
        ("DUENOTICE_HOLDER_FRACTIONS", "[0.9, 0.5]", "must rise"),
        ("DUENOTICE_HOLDER_HOURS_BEFORE", "[0, 24]", "must fall"),
        ("DUENOTICE_HOLDER_HOURS_BEFORE", "[-1]", "greater than or equal to 0"),
        ("DUENOTICE_PUBLIC_URL", "https://example.org/path", "without a path"),
        ("DUENOTICE_ORGANISATION__CONTACT__EMAIL", "Privacy <privacy@example.org>", "bare e-mail address"),
        ("DUENOTICE_ORGANISATION__NAME", "Duenotice\r\nBcc: x@example.org", "one line"),
        ("DUENOTICE_SMTP__MESSAGE_ID_DOMAIN", "exa mple", "domain"),
        ("DUENOTICE_ARTIFACTS__BUCKET", "Evidence!", "3 to 63 small letters"),
        ("DUENOTICE_ARTIFACTS__ENDPOINT", "https://s3.example.org", "for a bucket: name it"),
        ("DUENOTICE_ARTIFACTS__ENDPOINT", "https://key@s3.example.org", "scheme and host"),
        ("DUENOTICE_ARTIFACTS__ACCESS_KEY_ID", "K", "takes a secret access key"),
        ("DUENOTICE_ARTIFACTS__PREFIX", "../elsewhere", "several with slashes"),
        ("DUENOTICE_ARTIFACTS__TIMEOUT_SECONDS", "0", "greater than 0"),
        ("DUENOTICE_OIDC_ISSUER", "http://login.example.org", "on https"),
        ("DUENOTICE_OIDC_CLIENT_SECRET", "s", "takes an issuer, a client id and a client secret"),
    ],
)
def test_an_unusable_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=says) as caught:
        load_settings()
    assert caught.value.where is not None
    assert name.startswith(caught.value.where)


def test_a_manager_is_named_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUENOTICE_ORGANISATION__MANAGER__EMAIL", "alex@example.org")
    with pytest.raises(ConfigurationError, match="DUENOTICE_ORGANISATION__MANAGER__NAME"):
        load_settings()
    monkeypatch.setenv("DUENOTICE_ORGANISATION__MANAGER__NAME", "Alex Example")
    monkeypatch.setenv("DUENOTICE_ORGANISATION__MANAGER__PHONE", "+1 555 0104")
    manager = load_settings().organisation.manager
    assert manager
    assert manager.email == "alex@example.org"


@pytest.mark.parametrize("name", ["DUENOTICE_SMTP", "DUENOTICE_REMINDER_FRACTIONS"])
def test_a_value_that_is_not_json_is_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "hunter2")
    with pytest.raises(ConfigurationError, match=name.removeprefix("DUENOTICE_").lower()) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({}, "together or not at all"),
        ({"DUENOTICE_SMTP__USERNAME": "u", "DUENOTICE_SMTP__SECURITY": "none"}, "never sent without encryption"),
    ],
)
def test_a_password_is_used_safely_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, others: dict[str, str], says: str
) -> None:
    for name, value in ({"DUENOTICE_SMTP__PASSWORD": "hunter2"} | others).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=says) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("environment", ["local", "production"])
@pytest.mark.parametrize("host", ["mail.example.org", "192.0.2.1", "localhost.example.org"])
def test_mail_never_leaves_the_machine_in_clear(production: pytest.MonkeyPatch, environment: str, host: str) -> None:
    production.setenv("DUENOTICE_ENVIRONMENT", environment)
    production.setenv("DUENOTICE_SMTP__HOST", host)
    production.setenv("DUENOTICE_SMTP__SECURITY", "none")
    with pytest.raises(ConfigurationError, match="never leave this machine without encryption; set security to"):
        load_settings()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_a_mail_server_on_this_machine_may_be_spoken_to_in_clear(production: pytest.MonkeyPatch, host: str) -> None:
    production.setenv("DUENOTICE_SMTP__HOST", host)
    production.setenv("DUENOTICE_SMTP__SECURITY", "none")
    assert load_settings().smtp.host == host


def test_keys_that_sign_mail_are_a_list(production: pytest.MonkeyPatch) -> None:
    production.setenv("DUENOTICE_DKIM", '[{"selector": "s1", "key_file": "/etc/duenotice/dkim.pem"}]')
    (key,) = load_settings().dkim
    assert (key.selector, str(key.key_file), key.domain) == ("s1", "/etc/duenotice/dkim.pem", None)
    production.setenv("DUENOTICE_DKIM", '[{"selector": "s 1", "key_file": "dkim.pem"}]')
    with pytest.raises(ConfigurationError, match=r"DUENOTICE_DKIM"):
        load_settings()


def test_printing_settings_shows_no_secret(production: pytest.MonkeyPatch) -> None:
    production.setenv("DUENOTICE_SMTP__USERNAME", "u")
    production.setenv("DUENOTICE_SMTP__PASSWORD", "hunter2")
    settings = load_settings()
    assert settings.smtp.password is not None
    assert settings.smtp.password.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    "missing",
    [
        "KEYRING",
        "LOG_KEY",
        "PUBLIC_URL",
        "SMTP__HOST",
        "SMTP__SENDER_ADDRESS",
        "SMTP__MESSAGE_ID_DOMAIN",
        "ORGANISATION__NAME",
    ],
)
def test_production_starts_only_when_this_is_set(production: pytest.MonkeyPatch, missing: str) -> None:
    load_settings()
    production.delenv(f"DUENOTICE_{missing}")
    with pytest.raises(ConfigurationError, match=f"^DUENOTICE_{missing}: "):
        load_settings()


@pytest.mark.parametrize("person", ["SIGNATORY", "POINT_OF_CONTACT", "PARENTS_CONTACT"])
def test_production_names_the_people_that_notices_name(production: pytest.MonkeyPatch, person: str) -> None:
    for name in [name for name in os.environ if name.startswith(f"DUENOTICE_ORGANISATION__{person}__")]:
        production.delenv(name)
    with pytest.raises(ConfigurationError, match=f"^DUENOTICE_ORGANISATION__{person}: "):
        load_settings()


def test_production_makes_no_keyring(production: pytest.MonkeyPatch, tmp_path: Path) -> None:
    production.setenv("DUENOTICE_KEYRING", str(tmp_path / "absent.json"))
    with pytest.raises(ConfigurationError, match=r"no keyring file at .*absent\.json"):
        load_settings()


def test_production_makes_no_key_for_the_ledger_s_heads(production: pytest.MonkeyPatch, tmp_path: Path) -> None:
    production.setenv("DUENOTICE_LOG_KEY", str(tmp_path / "absent.json"))
    with pytest.raises(ConfigurationError, match=r"DUENOTICE_LOG_KEY: Production makes no key"):
        load_settings()


def test_the_key_of_the_ledger_s_heads_lies_outside_the_home_folder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    assert settings.log_key == tmp_path / "home-log-key.json"


def test_temporal_is_where_its_own_variables_say(production: pytest.MonkeyPatch) -> None:
    production.setenv("TEMPORAL_NAMESPACE", "privacy")
    assert temporal_connection(load_settings()) == {
        "target_host": "temporal.provider.test:7233",
        "namespace": "privacy",
        "api_key": "an API key",
        "tls": True,
    }


def test_production_needs_a_temporal_server_that_asks_who_comes(production: pytest.MonkeyPatch) -> None:
    production.delenv("TEMPORAL_API_KEY")
    with pytest.raises(ConfigurationError, match=r"TEMPORAL_API_KEY.*DUENOTICE_PRIVATE_NETWORK_REASON"):
        temporal_connection(load_settings())
    production.setenv("TEMPORAL_TLS", "true")  # the server alone shows who it is
    with pytest.raises(ConfigurationError, match="it asks nobody who they are"):
        temporal_connection(load_settings())


def test_a_temporal_server_with_client_certificates_is_protected(
    production: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    production.delenv("TEMPORAL_API_KEY")
    for name in ("CERT", "KEY"):
        (tmp_path / name).write_text("PEM")
        production.setenv(f"TEMPORAL_TLS_CLIENT_{name}_PATH", str(tmp_path / name))
    assert "tls" in temporal_connection(load_settings())


@pytest.mark.parametrize("address", ["localhost:7233", "127.0.0.1:7233", "[::1]:7233"])
def test_a_temporal_server_on_this_machine_needs_no_certificate(production: pytest.MonkeyPatch, address: str) -> None:
    production.delenv("TEMPORAL_API_KEY")
    production.setenv("TEMPORAL_ADDRESS", address)
    assert temporal_connection(load_settings())["target_host"] == address


def test_a_private_network_is_one_that_somebody_says_is(production: pytest.MonkeyPatch) -> None:
    production.delenv("TEMPORAL_API_KEY")
    production.setenv("DUENOTICE_DATABASE_URL", "postgresql://duenotice:hunter2@db.provider.test/duenotice")
    production.setenv("DUENOTICE_PRIVATE_NETWORK_REASON", "They share a network of their own.")
    assert temporal_connection(load_settings())["target_host"] == "temporal.provider.test:7233"
    production.setenv("DUENOTICE_PRIVATE_NETWORK_REASON", "yes")
    with pytest.raises(ConfigurationError, match=r"^DUENOTICE_PRIVATE_NETWORK_REASON: "):
        load_settings()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://duenotice:hunter2@db.provider.test/duenotice",
        "postgresql://duenotice:hunter2@db.provider.test/duenotice?sslmode=prefer",
        "postgresql://duenotice:hunter2@db.provider.test/duenotice?sslmode=require",
    ],
)
def test_production_s_database_is_told_nothing_in_clear(production: pytest.MonkeyPatch, url: str) -> None:
    production.setenv("DUENOTICE_DATABASE_URL", url)
    with pytest.raises(ConfigurationError, match=r"^DUENOTICE_DATABASE_URL: .*sslmode=verify-full") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://duenotice:hunter2@localhost/duenotice",
        "postgresql://duenotice@/duenotice?host=/run/postgresql",
        "sqlite:////var/lib/duenotice/duenotice.sqlite3",
    ],
)
def test_a_database_on_this_machine_needs_no_encryption(production: pytest.MonkeyPatch, url: str) -> None:
    production.setenv("DUENOTICE_DATABASE_URL", url)
    load_settings()


@pytest.mark.parametrize("environment", ["production", "local"])
def test_production_s_bucket_is_told_nothing_in_clear(production: pytest.MonkeyPatch, environment: str) -> None:
    production.setenv("DUENOTICE_ENVIRONMENT", environment)
    production.setenv("DUENOTICE_ARTIFACTS__BUCKET", "evidence")
    production.setenv("DUENOTICE_ARTIFACTS__ENDPOINT", "http://s3.provider.test:9000")
    if environment == "production":
        with pytest.raises(ConfigurationError, match=r"^DUENOTICE_ARTIFACTS__ENDPOINT: .*https"):
            load_settings()
        production.setenv("DUENOTICE_PRIVATE_NETWORK_REASON", "They share a network of their own.")
    assert load_settings().artifacts.endpoint == "http://s3.provider.test:9000"


@pytest.mark.parametrize("endpoint", [None, "https://s3.provider.test", "http://127.0.0.1:9000", "http://[::1]:9000"])
def test_a_bucket_is_amazon_s_or_one_that_is_spoken_to_on_https_or_on_this_machine(
    production: pytest.MonkeyPatch, endpoint: str | None
) -> None:
    production.setenv("DUENOTICE_ARTIFACTS__BUCKET", "evidence")
    if endpoint:
        production.setenv("DUENOTICE_ARTIFACTS__ENDPOINT", endpoint)
    assert load_settings().artifacts.bucket == "evidence"


def test_artifacts_are_kept_in_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DUENOTICE_ARTIFACTS__BUCKET", "evidence")
    monkeypatch.setenv("DUENOTICE_ARTIFACTS__DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigurationError, match="not in both"):
        load_settings()


def test_production_s_links_are_on_https(production: pytest.MonkeyPatch) -> None:
    production.setenv("DUENOTICE_PUBLIC_URL", "http://duenotice.provider.test")
    with pytest.raises(ConfigurationError, match=r"^DUENOTICE_PUBLIC_URL: .*https"):
        load_settings()


@pytest.mark.parametrize(("minutes", "taken"), [(0, False), (4, False), (5, True)])
def test_production_leaves_a_notice_five_minutes_to_leave(
    production: pytest.MonkeyPatch, minutes: int, taken: bool
) -> None:
    production.setenv("DUENOTICE_LAST_SAFE_MINUTES", str(minutes))
    if taken:
        assert load_settings().last_safe_minutes == minutes
        return
    with pytest.raises(ConfigurationError, match=r"^DUENOTICE_LAST_SAFE_MINUTES: "):
        load_settings()


def test_production_needs_a_temporal_server(production: pytest.MonkeyPatch, tmp_path: Path) -> None:
    production.delenv("TEMPORAL_ADDRESS")
    production.setenv("XDG_CONFIG_HOME", str(tmp_path))
    production.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="TEMPORAL_ADDRESS: Production needs a Temporal server"):
        temporal_connection(load_settings())


def test_one_machine_brings_its_own_temporal_whatever_profile_its_user_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profile = tmp_path / "temporalio" / "temporal.toml"
    profile.parent.mkdir()
    profile.write_text('[profile.default]\naddress = "elsewhere.test:7233"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert temporal_connection(load_settings()) == {"namespace": "default"}
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(profile))
    assert temporal_connection(load_settings())["target_host"] == "elsewhere.test:7233"


def test_temporal_certificates_that_are_missing_are_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.provider.test:7233")
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(tmp_path / "absent.pem"))
    with pytest.raises(ConfigurationError, match=r"absent\.pem.*TEMPORAL_"):
        temporal_connection(load_settings())


class TestStrangers:
    """What strangers may take of the web, and whose word on addresses is taken."""

    def test_nobody_s_word_on_where_a_request_comes_from_is_taken_unless_named(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert load_settings().trusted_proxies == ()
        monkeypatch.setenv("DUENOTICE_TRUSTED_PROXIES", '["10.0.0.5", "fd00::/64"]')
        assert load_settings().trusted_proxies == ("10.0.0.5", "fd00::/64")

    @pytest.mark.parametrize("named", ['["*"]', '["proxy.example.org"]', '["10.0.0.5/8"]'])
    def test_a_proxy_is_named_by_its_address(self, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
        monkeypatch.setenv("DUENOTICE_TRUSTED_PROXIES", named)
        with pytest.raises(ConfigurationError, match=r"^DUENOTICE_TRUSTED_PROXIES: .*addresses or networks, such as"):
            load_settings()

    def test_there_is_always_room_for_who_is_signed_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DUENOTICE_LIMITS__STRANGERS", "512")
        with pytest.raises(ConfigurationError, match=r"^DUENOTICE_LIMITS: .*room for who is signed in"):
            load_settings()
