"""Settings come from the environment, and every fault is named at once."""

import pytest

from headrace.engine.findings import Refusal
from headrace.server.environment import read

GOOD = {
    "HEADRACE_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "HEADRACE_ALLOWED_HOSTS": "rebates.example.com, www.example.com",
    "HEADRACE_MAIL_URL": "smtps://me:p%40ss@mail.example.com",
}


def faults(**changed: str) -> dict[str | None, str]:
    with pytest.raises(Refusal) as refused:
        read({**GOOD, **changed})
    return {finding.column: finding.message for finding in refused.value.findings}


def test_reads_what_production_needs() -> None:
    found = read(
        {**GOOD, "HEADRACE_DATABASE_URL": "postgresql://me:s%2Fecret@db.example.com:5433/books?sslmode=require"}
    )
    assert not found.local
    assert found.allowed_hosts == ["rebates.example.com", "www.example.com"]
    assert found.database["NAME"] == "books"
    assert found.database["PASSWORD"] == "s/ecret"
    assert found.database["PORT"] == "5433"
    assert found.database["OPTIONS"] == {"sslmode": "require"}
    assert found.mail is not None
    assert (found.mail["port"], found.mail["use_ssl"], found.mail["password"]) == (465, True, "p@ss")


def test_production_is_the_default_and_asks_for_everything_at_once() -> None:
    with pytest.raises(Refusal) as refused:
        read({})
    assert [finding.column for finding in refused.value.findings] == [
        "HEADRACE_SECRET_KEY",
        "HEADRACE_ALLOWED_HOSTS",
        "HEADRACE_MAIL_URL",
    ]


def test_one_machine_needs_nothing() -> None:
    found = read({"HEADRACE_LOCAL": "1", "HEADRACE_HOME": "/srv/headrace"})
    assert found.database["NAME"] == "/srv/headrace/headrace.sqlite3"
    assert str(found.lake) == "/srv/headrace/lake"
    assert found.allowed_hosts == ["localhost", "127.0.0.1", "[::1]"]
    assert len(found.secret_key) >= 50


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEADRACE_SECRET_KEY", "short"),
        ("HEADRACE_SECRET_KEY", "a" * 60),
        ("HEADRACE_ALLOWED_HOSTS", "*"),
        ("HEADRACE_DATABASE_URL", "mysql://localhost/books"),
        ("HEADRACE_DATABASE_URL", "postgresql://localhost"),
        ("HEADRACE_DATABASE_URL", "sqlite://books"),
        ("HEADRACE_MAIL_URL", "http://mail.example.com"),
        ("HEADRACE_PROXIES", "-1"),
        ("HEADRACE_LOCAL", "yes"),
        ("HEADRACE_SECRETKEY", "a name that is written wrongly"),
    ],
)
def test_names_the_setting_that_is_wrong(name: str, value: str) -> None:
    assert list(faults(**{name: value})) == [name]
