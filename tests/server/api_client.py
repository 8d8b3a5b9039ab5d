"""A caller of the API, and an installation that has something of everything."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from headrace.foundation import tokens
from headrace.foundation.models import Person
from headrace.foundation.roles import Scope
from headrace.masterdata import importing
from headrace.masterdata.importing import Upload
from headrace.partners import levels, segments
from headrace.programs import finalising
from headrace.workflow import requests
from tests.server.channel import FEBRUARY, JANUARY, Team, activated, delivered, work

ROOT = "/api/v1"


def token_of(person: Person, scopes: Iterable[Scope] = Scope) -> str:
    """Make a token for a person, as in a session with a second factor."""
    wanted = tokens.Wanted(name="test", scopes=list(scopes), days=1)
    return tokens.make_own(wanted=wanted, second_factor=True, by=person, at=timezone.now())[1]


@dataclass
class Caller:
    """Calls as a person. Every write has a new key unless one is given."""

    secret: str

    @classmethod
    def of(cls, person: Person, *scopes: Scope) -> "Caller":
        return cls(token_of(person, scopes or Scope))

    def call(self, method: str, path: str, status: int, given: Any = None, *, key: str = "") -> Any:
        """Call, check the status, and give the answer: JSON where it is."""
        headers = {"Authorization": f"Bearer {self.secret}", "Idempotency-Key": key or uuid.uuid4().hex}
        client = Client(headers=headers)
        sent: dict[str, Any] = {}
        if isinstance(given, dict) and any(hasattr(value, "read") for value in given.values()):
            sent = {"data": given}
        elif given is not None:
            sent = {"data": json.dumps(given), "content_type": "application/json"}
        answer: HttpResponse = getattr(client, method)(f"{ROOT}{path}", secure=True, **sent)
        content = answer.getvalue() if answer.streaming else answer.content
        assert answer.status_code == status, (method, path, answer.status_code, content[:2000])
        self.headers = answer.headers
        return json.loads(content) if "json" in answer["Content-Type"] else content.decode()

    def get(self, path: str, status: int = 200) -> Any:
        return self.call("get", path, status)

    def post(self, path: str, given: Any = None, status: int = 200, *, key: str = "") -> Any:
        return self.call("post", path, status, given, key=key)


PARTNERS = "partner_id,name,type,region,level\nA,Alder,reseller,EMEA,silver\nB,Beech,reseller,APAC,silver\n"
PRODUCTS = "product_id,name,family\nK1,Kettle,kitchen\n"
RATES = "date,from_currency,to_currency,rate\n2026-01-05,USD,EUR,0.9\n"


def filled(team: Team) -> None:
    """Fill an installation: master data, a program in force, files, a finalised quarter, and requests that wait."""
    at = timezone.now()
    for what, text in (("partner", PARTNERS), ("product", PRODUCTS), ("rates", RATES)):
        upload = Upload(
            what=what, source="erp", name=f"{what}.csv", content=text.encode(), from_on=date(2026, 1, 1),
            table="ecb" if what == "rates" else "",
        )  # fmt: skip
        importing.run_import(run=importing.request_import(upload, by=team.loader, at=at), at=at)
    definition = levels.Definition(level="gold", rank=2, reach="partner.region = 'EMEA'")
    levels.set_level(definition, from_on=date(2026, 1, 1), by=team.author, at=at)
    segments.define(
        segment="emea", name="EMEA", rule="partner.region = 'EMEA'", from_on=date(2026, 1, 1), by=team.author, at=at
    )
    levels.review(at=at)
    activated(team)
    delivered(team, JANUARY)
    finalised(team)
    delivered(team, FEBRUARY, name="february.csv")
    finalising.ask(program="volume", period_from=date(2026, 1, 1), by=team.analyst, at=timezone.now())
    work()


def finalised(team: Team) -> None:
    """Finalise the first quarter."""
    finalising.ask(program="volume", period_from=date(2026, 1, 1), by=team.analyst, at=timezone.now())
    work()
    for each in requests.listed(team.controller, at=timezone.now()):
        if each.state == "open" and each.kind == finalising.KIND:
            requests.approve(request=each.request, by=team.controller, at=timezone.now())
    work()
