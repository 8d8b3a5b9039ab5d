"""What goes wrong, as problem details (RFC 9457): the refusal's code, what to do, and its findings."""

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.http.multipartparser import MultiPartParserError
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.parser import Parser
from pydantic import Field

from headrace.api.shapes import Said
from headrace.engine.findings import Finding, Refusal
from headrace.portal.edge import status_of

ROOT = "/api/"
TYPE = "application/problem+json"
FINDINGS_MAX = 200
_STATUS = {
    "token_missing": 401,
    "token_invalid": 401,
    "token_expired": 401,
    "cursor_unknown": 409,
    "idempotency_key_missing": 422,
    "idempotency_key_reused": 409,
    "person_unknown": 404,
    "job_unknown": 404,
}
JSON, FORM = "application/json", "multipart/form-data"


class FindingSaid(Said):
    """One fault: in which record or field, what is wrong, and what to do."""

    file: str | None
    row: int | None
    column: str | None
    code: str
    severity: str
    message: str


class Problem(Said):
    """What was refused, why, and the way out. code: stable; the rest is for people."""

    type: str = Field(description="Always about:blank: the code says which problem it is.")
    title: str
    status: int
    code: str
    detail: str
    findings: list[FindingSaid]


class OtherBody(Exception):
    """A body is not of the kind that the operation takes."""


class JsonBody(Parser):
    """Reads a body that says that it is JSON."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Read it; the framework tells what is raised here as the cause of a request that cannot be read."""
        if request.content_type != JSON:
            raise OtherBody
        return super().parse_body(request)


class TooManyCalls(Exception):
    """A token called more often than it may."""


def problem(status: int, code: str, detail: str, findings: Iterable[Finding] = ()) -> HttpResponse:
    """Make the answer."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "findings": [each.as_dict() for each in findings],
    }
    answer = HttpResponse(json.dumps(body), status=status, content_type=TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Answer a refusal."""
    status = _STATUS.get(refusal.code) or status_of(refusal)
    return problem(status, refusal.code, refusal.message, refusal.findings[:FINDINGS_MAX])


def unreadable(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Answer a request that is not of the documented shape, with a finding for each fault."""
    findings = [
        Finding(code="request_invalid", column=".".join(str(part) for part in each["loc"]), message=str(each["msg"]))
        for each in error.errors
    ]
    said = "; ".join(f"{each.column}: {each.message}" for each in findings[:3])
    return problem(422, "request_invalid", f"The request is not as documented: {said}.", findings[:FINDINGS_MAX])


def unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """Answer a call without a token."""
    return problem(401, "token_missing", "Send a token as `Authorization: Bearer hdr_…`; a page makes one: /tokens/.")


def limited(request: HttpRequest, error: TooManyCalls) -> HttpResponse:
    """Answer a token that called too often."""
    many = settings.HEADRACE_API_CALLS_A_MINUTE
    answer = problem(429, "too_many_calls", f"A token makes {many} calls a minute. Wait for the next minute.")
    answer["Retry-After"] = "60"
    return answer


def garbled(request: HttpRequest, error: MultiPartParserError) -> HttpResponse:
    """Answer a form that cannot be taken apart."""
    return problem(400, "request_unreadable", "The form cannot be taken apart. Send it as multipart/form-data.")


def too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    """Answer a body that is larger than any that is taken."""
    return problem(413, "request_too_large", "The request is too large. Deliver data as files.")


def failed(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Answer what the framework refuses, such as a body that is no JSON."""
    if isinstance(error.__cause__, OtherBody):
        return problem(415, "content_type", f"The body of this operation is {JSON}.")
    return problem(error.status_code, "request_unreadable", str(error))


def busy(request: HttpRequest, error: OperationalError) -> HttpResponse:
    """Answer while another transaction holds SQLite for long; anything else is a defect and stays one."""
    if "locked" not in str(error):
        raise error
    answer = problem(503, "busy", "Another write takes long. Nothing was done; send the same again in a moment.")
    answer["Retry-After"] = "5"
    return answer


class Problems:
    """Middleware: whatever goes wrong under the API's address is a problem, also where no operation was reached."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request."""
        if not request.path.startswith(ROOT):
            return self.get_response(request)
        answer = _unfit(request) or self.get_response(request)
        if answer.status_code >= 400 and not answer.headers.get("Content-Type", "").startswith(TYPE):
            answer = _told(answer)
        bearer: Any = getattr(request, "bearer", None)
        if bearer is not None:
            many = settings.HEADRACE_API_CALLS_A_MINUTE
            answer["RateLimit-Limit"], answer["RateLimit-Remaining"] = str(many), str(max(0, many - bearer.calls))
        answer["Cache-Control"] = "no-store"
        return answer


def _unfit(request: HttpRequest) -> HttpResponse | None:
    if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
        return problem(422, "zero_character", "The address holds a character that is no text (U+0000). Take it out.")
    return None


def _told(answer: HttpResponseBase) -> HttpResponse:
    said = {
        400: ("request_unreadable", "The request cannot be read."),
        404: ("address_unknown", "There is nothing at this address. /api/v1/openapi.json lists what there is."),
        405: ("method_not_allowed", "This address does not take this method."),
        413: ("request_too_large", "The request is too large."),
    }
    defect = ("defect", "Something is wrong on our side. Nothing was done; report it with the time of the call.")
    new = problem(answer.status_code, *said.get(answer.status_code, defect))
    if "Allow" in answer.headers:
        new["Allow"] = answer.headers["Allow"]
    return new
