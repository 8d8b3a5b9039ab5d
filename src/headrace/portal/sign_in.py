"""How people sign in: by invitation only, with a trail of every try and every change of a way to sign in."""

import hashlib
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from headrace.engine.findings import Refusal
from headrace.foundation import acts, sealing


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """What Headrace asks of sign-in beyond the settings."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Say no: persons are invited."""
        return False

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Keep the failed try in the trail, by a digest of the address: it may be a password typed into the wrong field."""
        tried = hashlib.sha256(f"{settings.SECRET_KEY}{credentials.get('email', '')}".lower().encode()).hexdigest()[:16]
        with acts.act("sign_in_failed", at=timezone.now()) as act:
            act.note("sign_in", tried, {}, {"outcome": "failed"})

    def send_notification_mail(
        self, template_prefix: str, user: Any, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Tell the person of a change of their ways to sign in, and keep it in the trail."""
        with acts.act("change_sign_in", at=timezone.now()) as act:
            act.note("sign_in", str(user.pk), {}, {"change": template_prefix.rpartition("/")[2]})
        super().send_notification_mail(template_prefix, user, context, email)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Keeps the secrets of authenticator apps and recovery codes encrypted under the secret key."""

    def encrypt(self, text: str) -> str:
        """Encrypt for the database."""
        return sealing.seal(text, "second factor")

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypt from the database; refused if the secret key was changed since."""
        try:
            return sealing.unseal(encrypted_text, "second factor")
        except sealing.KeyChanged:
            raise Refusal(
                "secret_key_changed",
                "Your second factor cannot be read, because the secret key of the installation was changed. "
                "An administrator of the installation puts the old key back, or removes your second factor.",
            ) from None
