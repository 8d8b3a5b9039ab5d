"""Tokens that the API is called with: one's own, and those of services, which take two people as a role does.

A token reads `hdr_START_REST`: it is found by its start and known by a digest; the rest is 256 random bits, shown once.
"""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils.text import slugify

from headrace.engine.findings import Refusal
from headrace.foundation import access, acts
from headrace.foundation.models import ApiToken, Membership, Person, TokenUse
from headrace.foundation.roles import SCOPES, VENDOR, Permission, Scope

DAYS_MAX = 366
_SIGN = "hdr"
State = ApiToken.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a token is to be: a name to know it by, its scopes, and for how many days it lives."""

    name: str
    scopes: Sequence[Scope]
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A token as pages show it: never its secret. service: null for one's own. start: null before it is drawn."""

    id: uuid.UUID
    name: str
    service: str | None
    organisation: str
    scopes: tuple[str, ...]
    state: str
    start: str | None
    made_by: str
    made_at: datetime
    decided_by: str | None
    reason: str
    expires_at: datetime
    expired: bool
    last_used_at: datetime | None
    may_draw: bool


def make_own(*, wanted: Wanted, second_factor: bool, by: Person, at: datetime) -> tuple[uuid.UUID, str]:
    """Make a token for oneself, and give its id and its secret, which is never seen again.

    second_factor: the session is signed in with one. Refused (`second_factor_missing`) without, where a role asks for it.
    """
    if settings.HEADRACE_SECOND_FACTOR and not second_factor and access.needs_second_factor(by, at.date()):
        raise Refusal(
            "second_factor_missing", "Your role asks for a second factor. Sign in with it again, then make the token."
        )
    with acts.act("make_token", at=at):
        token = _new(wanted, person=by, second_factor=second_factor, by=by, at=at)
        return token.pk, _draw(token)


def ask_service(*, wanted: Wanted, service: str, organisation: str, by: Person, at: datetime) -> uuid.UUID:
    """Ask for a token of a service, which is made known by its name where it is not yet; a second person decides.

    What the service may do are its roles, which are asked for and approved like anybody's.
    """
    access.may_grant(by, organisation, at)
    service = service.strip()
    if not 0 < len(service) <= 100:
        raise Refusal("service_unnamed", "A service needs a name of at most 100 characters, such as ERP feed.")
    with acts.act("ask_service_token", at=at):
        member = Membership.objects.filter(
            access.in_force(at.date()), organisation=organisation, person__service=True, person__name=service
        ).first()
        person = member.person if member is not None else _enlist(service, organisation, at)
        return _new(wanted, person=person, organisation=organisation, second_factor=False, by=by, at=at).pk


def _enlist(service: str, organisation: str, at: datetime) -> Person:
    # No address that mail could reach and no password: nobody ever signs in as a service.
    address = f"{slugify(service)[:40] or 'service'}.{secrets.token_hex(4)}@service.invalid"
    person = Person(email=address, name=service, joined_at=at, service=True)
    person.set_unusable_password()
    person.save()
    access.join(person=person, organisation=organisation, from_on=at.date(), until_on=None, at=at)
    return person


def _new(
    wanted: Wanted, *, person: Person, organisation: str = "", second_factor: bool, by: Person, at: datetime
) -> ApiToken:
    name = wanted.name.strip()
    if not 0 < len(name) <= 100:
        raise Refusal("token_unnamed", "A token needs a name of at most 100 characters, so that you know it again.")
    if not wanted.scopes:
        raise Refusal("token_scopes", "A token needs a scope, such as read.")
    if not 1 <= wanted.days <= DAYS_MAX:
        raise Refusal("token_days", f"A token lives from 1 to {DAYS_MAX} days.")
    token = ApiToken(
        person=person,
        organisation=organisation,
        name=name,
        scopes=sorted({scope.value for scope in wanted.scopes}),
        second_factor=second_factor,
        state=State.REQUESTED,
        made_by=by,
        made_at=at,
        expires_at=at + timedelta(days=wanted.days),
    )
    if organisation:
        token.save()
    return token


def _draw(token: ApiToken) -> str:
    start, rest = secrets.token_hex(6), secrets.token_urlsafe(32)
    secret = f"{_SIGN}_{start}_{rest}"
    token.start, token.digest, token.state = start, _digest(secret), State.ACTIVE
    token.save()
    return secret


def _digest(secret: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def approve(*, token: uuid.UUID, by: Person, at: datetime) -> None:
    """Agree to a service's token. Refused to whoever asked."""
    with acts.act("approve_token", at=at):
        asked = _to_decide(token, by, at)
        asked.state = State.APPROVED
        asked.save()


def refuse(*, token: uuid.UUID, by: Person, reason: str, at: datetime) -> None:
    """Refuse a service's token, with the reason."""
    if not reason.strip():
        raise Refusal("reason_missing", "Say why the token is refused; whoever asked reads it.")
    with acts.act("refuse_token", at=at):
        asked = _to_decide(token, by, at)
        asked.state, asked.reason = State.REFUSED, reason.strip()
        asked.save()


def draw(*, token: uuid.UUID, by: Person, at: datetime) -> str:
    """Draw the secret of a service's token that was agreed to; only whoever asked, and once."""
    with acts.act("draw_token", at=at):
        asked = _of_service(token, by, at)
        if asked.made_by_id != by.pk:
            raise Refusal("not_permitted", "Whoever asked for the token draws it, so that its secret has one holder.")
        if asked.state != State.APPROVED:
            raise Refusal(
                "token_state", f"This token is {asked.state}. It is drawn once, after a second person agreed."
            )
        return _draw(asked)


def _to_decide(token: uuid.UUID, by: Person, at: datetime) -> ApiToken:
    asked = _of_service(token, by, at)
    if asked.state != State.REQUESTED:
        raise Refusal("already_decided", f"This token is {asked.state} already.")
    if asked.made_by_id == by.pk:
        raise Refusal("second_person", "A service's token takes two people: who asked for it does not decide.")
    asked.decided_by, asked.decided_at = by, at
    return asked


def _of_service(token: uuid.UUID, by: Person, at: datetime) -> ApiToken:
    known = ApiToken.objects.filter(pk=token).exclude(organisation="").first()
    access.may_grant(by, VENDOR if known is None else known.organisation, at)
    if known is None:
        raise _unknown()
    return ApiToken.locked(token)


def revoke(*, token: uuid.UUID, by: Person, at: datetime) -> None:
    """End a token for good: one's own, or, for who grants roles, a service's or anybody's. Twice changes nothing."""
    with acts.act("revoke_token", at=at):
        known = ApiToken.objects.filter(pk=token).first()
        if known is None:
            raise _unknown()
        if by.pk != known.person_id:
            organisation = known.organisation or VENDOR
            grants = Permission.GRANT_ROLE in access.permitted(by, VENDOR, at.date())
            if not grants and Permission.MANAGE_OWN_USERS not in access.permitted(by, organisation, at.date()):
                raise _unknown()
            access.may_grant(by, organisation, at)
        one = ApiToken.locked(token)
        if one.state != State.REVOKED:
            one.state, one.revoked_at = State.REVOKED, at
            one.save()


def _unknown() -> Refusal:
    return Refusal("token_unknown", "There is no such token. Load the page of tokens again.")


def own(person: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List one's own tokens, the latest first."""
    return _listed(ApiToken.objects.filter(person=person, organisation=""), person, at)


def of_services(viewer: Person, *, at: datetime) -> tuple[Shown, ...]:
    """List the tokens of services in the organisations of which the viewer decides who may do what."""
    rows = ApiToken.objects.exclude(organisation="")
    if Permission.GRANT_ROLE not in access.permitted(viewer, VENDOR, at.date()):
        rows = rows.filter(organisation__in=managed_by(viewer, at=at))
    return _listed(rows, viewer, at)


def managed_by(viewer: Person, *, at: datetime) -> tuple[str, ...]:
    """Give the organisations in which the viewer may ask for a service's token: of the vendor's administrators, all."""
    day = at.date()
    if Permission.GRANT_ROLE in access.permitted(viewer, VENDOR, day):
        return (VENDOR,)
    return tuple(
        sorted(
            each
            for each in access.organisations_of(viewer, day)
            if Permission.MANAGE_OWN_USERS in access.permitted(viewer, each, day)
        )
    )


def _listed(rows: "QuerySet[ApiToken]", viewer: Person, at: datetime) -> tuple[Shown, ...]:
    rows = rows.select_related("person", "made_by", "decided_by", "tokenuse").order_by("-made_at", "pk")
    return tuple(
        Shown(
            id=row.pk,
            name=row.name,
            service=str(row.person) if row.organisation else None,
            organisation=row.organisation,
            scopes=tuple(row.scopes),
            state=row.state,
            start=row.start and f"{_SIGN}_{row.start}",
            made_by=str(row.made_by),
            made_at=row.made_at,
            decided_by=str(row.decided_by) if row.decided_by else None,
            reason=row.reason,
            expires_at=row.expires_at,
            expired=row.expires_at <= at,
            last_used_at=row.tokenuse.last_used_at if hasattr(row, "tokenuse") else None,
            may_draw=row.state == State.APPROVED and row.made_by_id == viewer.pk,
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Who calls. name: the token's, for the trail. calls: how many the token made in this minute, this one with them."""

    token: uuid.UUID
    name: str
    person: Person
    scopes: tuple[str, ...]
    permissions: frozenset[Permission]
    calls: int


def use(secret: str, *, at: datetime) -> Bearer:
    """Tell who calls with a token, and count the call.

    Refused, and not counted, as `token_invalid` if there is no such token or it was revoked, as `token_expired`, or as
    `second_factor_missing` where a role of its person asks for one by now and the token was made without.
    """
    parts = secret.split("_", 2)
    known = None
    if len(parts) == 3 and parts[0] == _SIGN and len(parts[1]) == 12 and parts[1].isalnum() and secret.isascii():
        known = ApiToken.objects.select_related("person").filter(start=parts[1]).first()
    if known is None or not hmac.compare_digest(known.digest, _digest(secret)):
        raise Refusal("token_invalid", "There is no such token. Send one as `Authorization: Bearer hdr_…`.")
    if known.state != State.ACTIVE or not known.person.is_active:
        raise Refusal("token_invalid", "This token was revoked. Make another.")
    if known.expires_at <= at:
        raise Refusal("token_expired", f"This token lived until {known.expires_at:%Y-%m-%d %H:%M} UTC. Make another.")
    asked = settings.HEADRACE_SECOND_FACTOR and not known.organisation and not known.second_factor
    if asked and access.needs_second_factor(known.person, at.date()):
        raise Refusal("second_factor_missing", "Your role asks for a second factor, and this token was made without.")
    return Bearer(
        token=known.pk,
        name=f"api token {_SIGN}_{known.start}",
        person=known.person,
        scopes=tuple(known.scopes),
        permissions=_held(known.scopes),
        calls=_counted(known.pk, at),
    )


def _held(scopes: Iterable[str]) -> frozenset[Permission]:
    return frozenset().union(*(SCOPES[Scope(scope)] for scope in scopes))


def _counted(token: uuid.UUID, at: datetime) -> int:
    """Count a call in its minute: one statement, so that processes at once count each other's."""
    table, fields = connection.ops.quote_name(TokenUse._meta.db_table), TokenUse._meta
    statement = (
        f"INSERT INTO {table} (token_id, last_used_at, minute, calls) VALUES (%s, %s, %s, 1) "
        "ON CONFLICT (token_id) DO UPDATE SET last_used_at = excluded.last_used_at, "
        f"calls = CASE WHEN excluded.minute > {table}.minute THEN 1 ELSE {table}.calls + 1 END, "
        f"minute = CASE WHEN excluded.minute > {table}.minute THEN excluded.minute ELSE {table}.minute END "
        "RETURNING calls"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            [
                fields.get_field("token").target_field.get_db_prep_value(token, connection),
                fields.get_field("last_used_at").get_db_prep_value(at, connection),
                int(at.timestamp()) // 60,
            ],
        )
        (calls,) = cursor.fetchone()
    return int(calls)
