"""Receivers as others write them: verifies what each line of its input was sent, and prints what came of it.

With the unmodified `standardwebhooks` and `PyNaCl` of PyPI, and by the providers' own descriptions.
"""

import base64
import datetime
import hashlib
import hmac
import json
import sys
import time

import standardwebhooks.webhooks
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

TOLERANCE = 300
later = 0


class Clock(datetime.datetime):
    """The library's clock, which can be put forward."""

    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=later)


def check(rule, holds):
    if not holds:
        raise ValueError(rule)


def fresh(seconds):
    check("timestamp", abs(time.time() + later - float(seconds)) <= TOLERANCE)


def digest(key, text):
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def standard(secret, headers, body):
    standardwebhooks.Webhook(secret).verify(body, headers)


def standard_v1a(secret, headers, body):
    """By the specification; no library of it knows this version. The receiver holds the public half only."""
    fresh(headers["webhook-timestamp"])
    public = VerifyKey(base64.b64decode(secret.removeprefix("whsk_"))[32:])
    signed = ".".join([headers["webhook-id"], headers["webhook-timestamp"], body]).encode()
    signatures = [signature.split(",") for signature in headers["webhook-signature"].split(" ")]
    check("signature", any(version == "v1a" and verified(public, signed, text) for version, text in signatures))


def verified(public, signed, signature):
    try:
        return public.verify(signed, base64.b64decode(signature)) == signed
    except BadSignatureError:
        return False


def blocklet(secret, headers, body):
    parts = dict(part.split("=") for part in headers["x-webhook-signature"].split(","))
    fresh(parts["t"])
    check("signature", hmac.compare_digest(parts["v1"], digest(secret, f"{parts['t']}.{body}")))


def gstable(secret, headers, body):
    timestamp = headers["x-gstable-timestamp"]
    fresh(int(timestamp) / 1000)
    check("signature", hmac.compare_digest(headers["x-gstable-signature"], digest(secret, f"{timestamp}:{body}")))


standardwebhooks.webhooks.datetime = Clock
schemes = {"standard": standard, "standard-v1a": standard_v1a, "blocklet": blocklet, "gstable": gstable}
for line in sys.stdin:
    wish = json.loads(line)
    later = wish["later"]
    refusal = None
    try:
        schemes[wish["scheme"]](wish["secret"], wish["headers"], wish["body"])
    except Exception as error:  # whatever a verifier says is a refusal
        refusal = f"{type(error).__name__}: {error}"
    print(json.dumps({"refusal": refusal}), flush=True)
