"""Signs as others do: `sign.py SCHEME`, the wish on standard input.

With the unmodified `standardwebhooks` and `PyNaCl` of PyPI, by Blocklet Server's own rule, and by GStable's pages.
"""

import base64
import datetime
import hashlib
import hmac
import json
import sys

from nacl.signing import SigningKey
from standardwebhooks import Webhook


def standard(secret, id, at, body, **_):
    time = datetime.datetime.fromtimestamp(at, tz=datetime.timezone.utc)
    return headers(id, at, Webhook(secret).sign(msg_id=id, timestamp=time, data=body))


def standard_v1a(secret, id, at, body, **_):
    """By the specification; no library of it knows this version."""
    key = SigningKey(base64.b64decode(secret.removeprefix("whsk_"))[:32])
    return headers(id, at, "v1a," + base64.b64encode(key.sign(f"{id}.{at}.{body}".encode()).signature).decode())


def headers(id, at, signature):
    return {"webhook-id": id, "webhook-timestamp": str(at), "webhook-signature": signature}


def blocklet(secret, at, body, **_):
    tag = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"x-webhook-signature": f"t={at},v1={tag}"}


def gstable(secret, at, body, **_):
    tag = hmac.new(secret.encode(), f"{at}000:{body}".encode(), hashlib.sha256).hexdigest()
    return {"x-gstable-timestamp": f"{at}000", "x-gstable-signature": tag}


schemes = {"standard": standard, "standard-v1a": standard_v1a, "blocklet": blocklet, "gstable": gstable}
print(json.dumps(schemes[sys.argv[1]](**json.load(sys.stdin))))
