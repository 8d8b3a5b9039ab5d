"""The environment variables that configure the application: read once, checked together, refused with every fault at once."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from headrace.engine.findings import Finding, Refusal

KEY_LENGTH_MIN = 50
KNOWN = {
    "HEADRACE_LOCAL": "1 for one machine over plain http://localhost; otherwise production",
    "HEADRACE_HOME": "folder of the database, files and lake, unless they are named; default ./headrace-data",
    "HEADRACE_DATABASE_URL": "sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME; default a file in the home",
    "HEADRACE_SECRET_KEY": f"{KEY_LENGTH_MIN} or more random characters; signs sessions and protects secrets of sign-in",
    "HEADRACE_ALLOWED_HOSTS": "host names that the application answers to, separated by commas",
    "HEADRACE_LAKE": "folder of the lake; default `lake` in the home",
    "HEADRACE_FILES": "folder of uploaded files, never served by the web; default `files` in the home",
    "HEADRACE_INBOX": "folder of watched folders, into which other systems put files; default `inbox` in the home",
    "HEADRACE_MAIL_URL": "smtp://USER:PASSWORD@HOST:PORT or smtps://…; needed, but on one machine mail is printed without it",
    "HEADRACE_MAIL_FROM": "address that mail comes from",
    "HEADRACE_API_CALLS_A_MINUTE": "how many calls of the API a token makes in a minute; default 600",
    "HEADRACE_PROXIES": "how many trusted proxies stand before the application; their X-Forwarded headers are then believed",
}
BESIDE = frozenset({"HEADRACE_DEBUG", "HEADRACE_REAL_DATA"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the variables say, checked. database, mail: as Django's settings want them; mail is null without a server."""

    local: bool
    database: dict[str, Any]
    secret_key: str
    allowed_hosts: list[str]
    lake: Path
    files: Path
    inbox: Path
    mail: dict[str, Any] | None
    mail_from: str
    proxies: int
    api_calls: int


def read(variables: Mapping[str, str]) -> Environment:
    """Read the variables of `KNOWN`. Refused with one finding per fault: unknown name, missing or unreadable value."""
    faults: list[Finding] = []

    def fault(name: str, message: str) -> None:
        faults.append(Finding(code="setting", column=name, message=f"{name} {message}"))

    for name in variables:
        if name.startswith("HEADRACE_") and name not in KNOWN and name not in BESIDE:
            fault(name, f"is not a setting. Known are {', '.join(KNOWN)}.")
    local = variables.get("HEADRACE_LOCAL", "0")
    if local not in ("0", "1"):
        fault("HEADRACE_LOCAL", f"is {local!r}; it must be 1 or 0.")
    home = Path(variables.get("HEADRACE_HOME", "headrace-data")).absolute()
    proxies = variables.get("HEADRACE_PROXIES", "0")
    if not proxies.isdecimal():
        fault("HEADRACE_PROXIES", f"is {proxies!r}; it must be a whole number, 0 or more.")
    api_calls = variables.get("HEADRACE_API_CALLS_A_MINUTE", "600")
    if not api_calls.isdecimal() or not 0 < len(api_calls) < 8 or int(api_calls) == 0:
        fault("HEADRACE_API_CALLS_A_MINUTE", f"is {api_calls!r}; it must be a whole number, 1 or more.")
    found = Environment(
        local=local == "1",
        database=_database(variables.get("HEADRACE_DATABASE_URL") or f"sqlite:///{home / 'headrace.sqlite3'}", fault),
        secret_key=_secret_key(variables.get("HEADRACE_SECRET_KEY", ""), local == "1", fault),
        allowed_hosts=_hosts(variables.get("HEADRACE_ALLOWED_HOSTS", ""), local == "1", fault),
        lake=Path(variables.get("HEADRACE_LAKE") or home / "lake").absolute(),
        files=Path(variables.get("HEADRACE_FILES") or home / "files").absolute(),
        inbox=Path(variables.get("HEADRACE_INBOX") or home / "inbox").absolute(),
        mail=_mail(variables.get("HEADRACE_MAIL_URL", ""), local == "1", fault),
        mail_from=variables.get("HEADRACE_MAIL_FROM", "headrace@localhost"),
        proxies=int(proxies) if proxies.isdecimal() else 0,
        api_calls=int(api_calls) if api_calls.isdecimal() else 0,
    )
    if faults:
        raise Refusal("settings", f"{len(faults)} setting(s) are wrong. Mend them and start again.", findings=faults)
    return found


type Fault = Callable[[str, str], None]


def _database(url: str, fault: Fault) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        path = unquote(parts.path[1:])
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path(path).absolute()),
            # Writers queue at their first statement, instead of failing at their first write.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    if parts.scheme not in ("postgresql", "postgres") or len(parts.path) < 2:
        fault("HEADRACE_DATABASE_URL", "must read sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME.")
        return {}
    if find_spec("psycopg") is None:
        fault("HEADRACE_DATABASE_URL", "asks for PostgreSQL, whose driver is not there: pip install 'psycopg[binary]'.")
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def _secret_key(key: str, local: bool, fault: Fault) -> str:
    if not key and local:
        return secrets.token_urlsafe(KEY_LENGTH_MIN)
    if len(key) < KEY_LENGTH_MIN or len(set(key)) < 10:
        fault(
            "HEADRACE_SECRET_KEY",
            f"must be {KEY_LENGTH_MIN} or more random characters. Make one, and keep it:"
            " python3 -c 'import secrets; print(secrets.token_urlsafe(50))'",
        )
    return key


def _hosts(listed: str, local: bool, fault: Fault) -> list[str]:
    hosts = [host.strip() for host in listed.split(",") if host.strip()]
    if not hosts and local:
        return ["localhost", "127.0.0.1", "[::1]"]
    if not hosts:
        fault(
            "HEADRACE_ALLOWED_HOSTS",
            "must name the hosts that the application answers to, such as rebates.example.com.",
        )
    if "*" in hosts:
        fault("HEADRACE_ALLOWED_HOSTS", "must not be *: links in mail would lead to whatever host a request claims.")
    return hosts


def _mail(url: str, local: bool, fault: Fault) -> dict[str, Any] | None:
    if not url and local:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        fault("HEADRACE_MAIL_URL", "must read smtp://USER:PASSWORD@HOST:PORT (STARTTLS) or smtps://… (TLS).")
        return None
    direct = parts.scheme == "smtps"
    return {
        "host": parts.hostname,
        "port": parts.port or (465 if direct else 587),
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_ssl": direct,
        "use_tls": not direct,
        "timeout": 20,
    }
