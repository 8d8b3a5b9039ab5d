"""Secrets kept in the database: encrypted under keys that are derived from the secret key, one for each purpose."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class KeyChanged(Exception):
    """A secret cannot be read: the secret key is not the one that it was kept under."""


def seal(text: str, purpose: str) -> str:
    """Encrypt for the database."""
    return _cipher(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, purpose: str) -> str:
    """Decrypt from the database. Raises KeyChanged."""
    try:
        return _cipher(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise KeyChanged from None


def _cipher(purpose: str) -> Fernet:
    key = HKDF(SHA256(), 32, salt=None, info=f"headrace {purpose}".encode()).derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(key))
