"""Pages of tokens for the API: one's own, and those of services for whoever grants roles."""

import uuid

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from headrace.engine.findings import Refusal
from headrace.foundation import tokens as services
from headrace.foundation.roles import VENDOR, Scope
from headrace.portal.edge import person


class TokenForm(forms.Form):
    """A token to make for oneself."""

    name = forms.CharField(max_length=100, help_text="So that you know it again, such as the program that uses it.")
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, scope.value.replace("_", " ")) for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
        help_text="Never more than you may do yourself at the moment it is used.",
    )
    days = forms.IntegerField(label="Days that it lives", min_value=1, max_value=services.DAYS_MAX, initial=90)

    def wanted(self) -> services.Wanted:
        """Give what is wanted."""
        given = self.cleaned_data
        return services.Wanted(
            name=given["name"], scopes=[Scope(scope) for scope in given["scopes"]], days=given["days"]
        )


class ServiceForm(TokenForm):
    """A token to ask for, for a service."""

    service = forms.CharField(max_length=100, help_text="Its name; its roles are asked for like anybody's.")
    organisation = forms.CharField(max_length=64, initial=VENDOR, help_text="“vendor”, or the id of a partner.")


@login_required
@require_GET
def tokens(request: HttpRequest) -> HttpResponse:
    """List tokens, with the forms to make and ask for one."""
    return _tokens(request, TokenForm(), None)


def _tokens(
    request: HttpRequest, making: TokenForm, asking: ServiceForm | None, status: int = 200, secret: str = ""
) -> HttpResponse:
    viewer, now = person(request), timezone.now()
    managed = services.managed_by(viewer, at=now)
    context = {
        "own": services.own(viewer, at=now),
        "making": making,
        "managed": managed,
        "of_services": services.of_services(viewer, at=now) if managed else (),
        "asking": (asking or ServiceForm(initial={"organisation": managed[0]})) if managed else None,
        "secret": secret,
    }
    return render(request, "portal/tokens.html", context, status=status)


@login_required
@require_POST
@never_cache
def make_token(request: HttpRequest) -> HttpResponse:
    """Make a token for oneself, and show its secret once."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _tokens(request, form, None, status=422)
    _, secret = services.make_own(
        wanted=form.wanted(), second_factor=_second_factor(request), by=person(request), at=timezone.now()
    )
    return _tokens(request, TokenForm(), None, secret=secret)


def _second_factor(request: HttpRequest) -> bool:
    """Tell whether this session was signed in with a second factor, or has confirmed one since."""
    records = get_authentication_records(request, person(request))
    return is_mfa_enabled(request.user) and any(record.get("method") == "mfa" for record in records)


@login_required
@require_POST
def ask_service_token(request: HttpRequest) -> HttpResponse:
    """Ask for a service's token."""
    form = ServiceForm(request.POST)
    if not services.managed_by(person(request), at=timezone.now()):
        raise Refusal("not_permitted", "Whoever grants roles asks for a service's token. Ask an administrator.")
    if not form.is_valid():
        return _tokens(request, TokenForm(), form, status=422)
    services.ask_service(
        wanted=form.wanted(),
        service=form.cleaned_data["service"],
        organisation=form.cleaned_data["organisation"],
        by=person(request),
        at=timezone.now(),
    )
    messages.success(request, "Asked for. A second person decides; then you draw it here.")
    return redirect("tokens")


@login_required
@require_POST
def approve_token(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Agree to a service's token as the second person."""
    services.approve(token=token, by=person(request), at=timezone.now())
    messages.success(request, "Approved. Whoever asked for it draws it.")
    return redirect("tokens")


@login_required
@require_POST
def refuse_token(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Refuse a service's token, with the reason."""
    services.refuse(token=token, by=person(request), reason=request.POST.get("reason", ""), at=timezone.now())
    messages.success(request, "Refused.")
    return redirect("tokens")


@login_required
@require_POST
@never_cache
def draw_token(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Draw the secret of a service's token, once."""
    secret = services.draw(token=token, by=person(request), at=timezone.now())
    return _tokens(request, TokenForm(), None, secret=secret)


@login_required
@require_POST
def revoke_token(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """End a token."""
    services.revoke(token=token, by=person(request), at=timezone.now())
    messages.success(request, "Revoked.")
    return redirect("tokens")
