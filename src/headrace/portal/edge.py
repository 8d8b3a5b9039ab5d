"""The edge of the web: who is acting, which second factor is missing, and how a refusal reads in a browser."""

from collections.abc import Callable
from typing import Any

from allauth.core.internal.httpkit import get_client_ip
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation import access
from headrace.foundation.acts import Actor, acting_as
from headrace.foundation.people import Person
from headrace.foundation.roles import VENDOR, Permission

_STATUS = {
    "not_permitted": 403,
    "duties_conflict": 403,
    "file_unknown": 404,
    "grant_unknown": 404,
    "membership_unknown": 404,
    "partner_unknown": 404,
    "proposal_unknown": 404,
    "product_unknown": 404,
    "rates_unknown": 404,
    "import_unknown": 404,
    "request_unknown": 404,
    "delivery_unknown": 404,
    "row_unknown": 404,
    "folder_unknown": 404,
    "post_unknown": 404,
    "line_unknown": 404,
    "batch_unknown": 404,
    "duty_unknown": 404,
    "program_unknown": 404,
    "version_unknown": 404,
    "step_unknown": 404,
    "token_unknown": 404,
    "scope_missing": 403,
    "second_factor_missing": 403,
    "balance_unknown": 404,
    "statement_unknown": 404,
    "company_unknown": 404,
    "posting_unknown": 404,
    "period_unknown": 404,
    "pack_unknown": 404,
    "opening_unknown": 404,
    "acceptance_unknown": 404,
    "guardrail_unknown": 404,
    "shadow_unknown": 404,
    "assignment_unknown": 404,
}
_WITHOUT_SECOND_FACTOR = ("mfa_", "account_logout", "account_reauthenticate", "account_email", "alive")


def status_of(refusal: Refusal) -> int:
    """Give the HTTP status of a refusal: 409 where nothing else is said."""
    return _STATUS.get(refusal.code, 409)


class Edge:
    """Middleware: sets who acts and from where, asks for the second factor, and turns refusals into pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request as its person."""
        person = request.user.pk if request.user.is_authenticated else None
        with acting_as(Actor(person, "web", get_client_ip(request))):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponseBase | None:
        """Send whoever needs a second factor, and has none, to where they set one up."""
        match = request.resolver_match
        name = (match.url_name if match else None) or ""
        if request.path.startswith("/api/"):
            return None  # a token's second factor was asked for when it was made; cookies count for nothing there
        if not request.user.is_authenticated or name.startswith(_WITHOUT_SECOND_FACTOR):
            return None
        if not settings.HEADRACE_SECOND_FACTOR:
            return None
        if is_mfa_enabled(request.user) or not access.needs_second_factor(request.user, timezone.now().date()):
            return None
        messages.warning(request, "Your role asks for a second factor. Set up an authenticator app or a passkey first.")
        return redirect("mfa_index")

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Show a refusal; everything else is a defect and stays one."""
        if not isinstance(error, Refusal):
            return None
        return render(request, "portal/refused.html", {"refusal": error}, status=status_of(error))


def person(request: HttpRequest) -> Person:
    """Give who is signed in; for pages that ask for it."""
    assert isinstance(request.user, Person), "the page lets in people who are signed in"
    return request.user


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Give the pages that the menu offers to whoever looks."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        names = ("may_grant", "may_audit", "may_read", "may_see_money", "may_read_ledger")
        return dict.fromkeys(names, False)
    day = timezone.now().date()
    permissions = access.permitted(user, VENDOR, day)
    own = (access.permitted(user, each, day) for each in access.organisations_of(user, day))
    return {
        "may_read": Permission.READ_ALL in permissions,
        "may_see_money": Permission.READ_ALL in permissions or any(Permission.READ_OWN in each for each in own),
        "may_grant": Permission.GRANT_ROLE in permissions,
        "may_audit": Permission.READ_AUDIT in permissions,
        "may_read_ledger": Permission.READ_LEDGER in permissions,
    }


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Show that something was not allowed, without saying more."""
    refusal = Refusal("forbidden", "This is not allowed here. Go back and load the page again.")
    return render(request, "portal/refused.html", {"refusal": refusal}, status=403)
