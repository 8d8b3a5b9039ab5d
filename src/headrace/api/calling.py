"""How an operation is called: by a token, within its scopes, and, where it writes, once per `Idempotency-Key`."""

import functools
import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from allauth.core.internal.httpkit import get_client_ip
from django.conf import settings
from django.core.files import File
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from ninja import Router
from ninja.security import HttpBearer
from pydantic import TypeAdapter

from headrace.api.models import AnsweredCall
from headrace.api.problems import FORM, TooManyCalls
from headrace.engine.findings import Refusal
from headrace.foundation import access, tokens
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission

KEY_HEADER = "Idempotency-Key"
KEY_MAX = 200


class Token(HttpBearer):
    """A token of a person or a service, sent as `Authorization: Bearer hdr_…`. A session's cookie counts for nothing."""

    def authenticate(self, request: HttpRequest, token: str) -> tokens.Bearer:
        """Tell who calls; refused to a token that is none, that ended, or that calls too often."""
        bearer = tokens.use(token, at=timezone.now())
        request.bearer = bearer  # type: ignore[attr-defined]  # what it may still call is told with the answer
        if bearer.calls > settings.HEADRACE_API_CALLS_A_MINUTE:
            raise TooManyCalls
        return bearer


def caller(request: HttpRequest) -> tuple[Person, datetime]:
    """Give who calls, and the instant."""
    return _bearer(request).person, timezone.now()


def ledger_reader(request: HttpRequest) -> tuple[Person, datetime]:
    """Give who calls; refused unless they read the books."""
    viewer, at = caller(request)
    access.require(viewer, VENDOR, Permission.READ_LEDGER, at.date())
    return viewer, at


def _bearer(request: HttpRequest) -> tokens.Bearer:
    bearer: tokens.Bearer = request.auth  # type: ignore[attr-defined]
    return bearer


type View = Callable[..., Any]


def read(router: Router, path: str, response: Any, **further: Any) -> Callable[[View], View]:
    """Register an operation that reads. response: the shape of what it answers; null where it answers with a file."""

    def register(view: View) -> View:
        router.get(path, **_described(view, {200: response} if response else None), **further)(_acting(view, response))
        return view

    return register


def write(router: Router, path: str, response: Any, *, status: int = 200, **further: Any) -> Callable[[View], View]:
    """Register an operation that writes, once per key. response: the shape of what it answers, with the status."""

    def register(view: View) -> View:
        router.post(path, **_described(view, {status: response}), **further)(
            _acting(view, response, status=status, writes=True)
        )
        return view

    return register


def _described(view: View, response: Any) -> dict[str, Any]:
    said, _, more = (view.__doc__ or "").partition("\n")
    named: dict[str, Any] = {
        "operation_id": view.__name__,
        "url_name": view.__name__,
        "summary": said.strip().removesuffix("."),
        "description": " ".join(more.split()),
        "by_alias": True,
    }
    return named if response is None else {**named, "response": response}


def _acting(view: View, response: Any, *, status: int = 200, writes: bool = False) -> View:
    said = TypeAdapter(response) if response is not None else None

    @functools.wraps(view)
    def call(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        def do() -> HttpResponseBase:
            answer = view(request, *args, **kwargs)
            if said is None:
                assert isinstance(answer, HttpResponseBase)
                return answer
            body = said.dump_json(said.validate_python(answer, from_attributes=True), by_alias=True)
            return HttpResponse(body, status=status, content_type="application/json")

        bearer = _bearer(request)
        actor = Actor(bearer.person.pk, bearer.name, get_client_ip(request))
        with acting_as(actor), access.limited_to(bearer.person, bearer.permissions):
            return _once(request, bearer, do) if writes else do()

    return call


def _once(request: HttpRequest, bearer: tokens.Bearer, do: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Do a write unless its key was answered before, and keep the answer in the transaction of what it did.

    Another call with the key waits for the first, and gets its answer. A refusal is not kept: nothing was done.
    """
    key = request.headers.get(KEY_HEADER, "")
    if not 0 < len(key) <= KEY_MAX or not key.isascii() or not key.isprintable():
        raise Refusal(
            "idempotency_key_missing",
            f"A write names itself by the header {KEY_HEADER}: up to {KEY_MAX} visible characters, new for each write.",
        )
    digest = _digest(request)
    known = AnsweredCall.objects.filter(token_id=bearer.token, key=key).first()
    if known is not None:
        return _again(known, digest)
    with transaction.atomic():
        try:
            with transaction.atomic():
                mine = AnsweredCall.objects.create(
                    token_id=bearer.token, key=key, digest=digest, at=timezone.now()
                )  # fmt: skip
        except IntegrityError:
            return _again(AnsweredCall.objects.get(token_id=bearer.token, key=key), digest)
        try:
            answer = do()
        except Refusal as refusal:
            # What the service did before it refused stays, as it does behind a page; the key is free again.
            mine.delete()
            kept_refusal = refusal
        else:
            assert isinstance(answer, HttpResponse)
            mine.status, mine.body = answer.status_code, answer.content.decode()
            mine.save()
            return answer
    raise kept_refusal


def _again(known: AnsweredCall, digest: str) -> HttpResponse:
    if known.digest != digest:
        raise Refusal(
            "idempotency_key_reused", f"This {KEY_HEADER} belongs to another write. Give each write a key of its own."
        )
    assert known.status is not None, "the answer is kept in the transaction that kept the key"
    answer = HttpResponse(known.body, status=known.status, content_type="application/json")
    answer["Idempotency-Replayed"] = "true"
    return answer


def _digest(request: HttpRequest) -> str:
    """Give what two calls have in common that ask for the same: the bounds between parts of a form may differ."""
    whole = hashlib.sha256(json.dumps([request.method, request.get_full_path()]).encode())
    if request.content_type == FORM:
        whole.update(json.dumps(sorted(request.POST.lists())).encode())
        for name, file in sorted(request.FILES.items()):
            assert isinstance(file, File), "one file a name: the last"
            content = hashlib.sha256()
            for chunk in file.chunks():
                content.update(chunk)
            file.seek(0)
            whole.update(json.dumps([name, file.name, content.hexdigest()]).encode())
    else:
        whole.update(request.body)
    return whole.hexdigest()
