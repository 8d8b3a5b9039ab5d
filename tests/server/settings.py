"""Settings of the tests: those of production, but with hosts and a key, and hashes of passwords that cost little."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("HEADRACE_SECRET_KEY", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
os.environ.setdefault("HEADRACE_ALLOWED_HOSTS", "rebates.example.com")
os.environ.setdefault("HEADRACE_MAIL_URL", "smtp://mail.example.com")
_home = Path(tempfile.gettempdir()) / f"headrace-tests-{os.getpid()}"

_asked = {name: os.environ.pop(name, None) for name in ("HEADRACE_HOME", "HEADRACE_FILES")}
os.environ["HEADRACE_HOME"] = str(_home)
from headrace.server.settings import *  # noqa: E402, F403

del os.environ["HEADRACE_HOME"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
