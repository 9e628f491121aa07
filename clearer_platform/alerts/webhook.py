"""The webhook: one POST of JSON an alert, signed where a secret is set, tried again where that can help."""

import hashlib
import hmac
import os
import random
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from clearer_platform.alerts.alert import Alert
from clearer_platform.errors import ClearerError

SECRET = "CLEARER_WEBHOOK_SECRET"
"""The environment variable that holds the key of the signature."""
SIGNATURE = "X-Clearer-Signature"
ATTEMPTS, FIRST_WAIT, TIMEOUT = 3, 0.5, 10.0


class NotifierError(ClearerError):
    """An alert that could not be told; it is kept, and told again later."""


class Webhook:
    """Posts alerts to a URL."""

    def __init__(
        self, url: str, secret: str | None = None, timeout: float = TIMEOUT, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClearerError("a webhook's address is no http(s) URL", hint="use webhook:https://host/path")
        self._url, self._secret, self._timeout, self._sleep = url, secret, timeout, sleep
        # The path may be the secret, as it is with chat services: it only goes into the name as a hash.
        self.name = f"webhook {parts.hostname} {hashlib.sha256(url.encode()).hexdigest()[:8]}"

    @classmethod
    def to(cls, address: str) -> "Webhook":
        """The webhook to a URL, or to the one that the variable `$NAME` holds; signed where a secret is set."""
        url = address
        if address.startswith("$"):
            url = os.environ.get(address[1:], "")
            if not url:
                raise ClearerError(f"the webhook's variable {address[1:]} is not set", hint=f"set {address[1:]}")
        return cls(url, os.environ.get(SECRET) or None)

    def __call__(self, alert: Alert) -> None:
        """Post it. Raises NotifierError when the last attempt has failed, or at once where another cannot help."""
        body = alert.model_dump_json().encode()
        for attempt in range(1, ATTEMPTS + 1):
            problem, may_pass = self._posted(body, alert)
            if problem is None:
                return
            if not may_pass or attempt == ATTEMPTS:
                raise NotifierError(f"{self.name}: {problem}", hint=f"after {attempt} of {ATTEMPTS} attempts")
            self._sleep(random.uniform(0.5, 1) * FIRST_WAIT * 2 ** (attempt - 1))

    def _posted(self, body: bytes, alert: Alert) -> tuple[str | None, bool]:
        """What went wrong, if anything, and whether it may pass."""
        headers = {"Content-Type": "application/json", "User-Agent": "clearer", "Idempotency-Key": alert.key}
        if self._secret:
            headers[SIGNATURE] = "sha256=" + hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        try:
            request = Request(self._url, body, headers, method="POST")
            with build_opener(_NoRedirects).open(request, timeout=self._timeout):
                return None, False
        except HTTPError as e:
            return f"answered {e.code}", e.code >= 500 or e.code in (HTTPStatus.TOO_MANY_REQUESTS, 408)
        except (OSError, HTTPException) as e:
            return f"cannot be reached ({type(getattr(e, 'reason', None) or e).__name__})", True


class _NoRedirects(HTTPRedirectHandler):
    """An alert goes to the address that was set, or nowhere."""

    def redirect_request(self, *args: object) -> None:
        """Follow none."""
