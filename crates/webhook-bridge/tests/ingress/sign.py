"""Signs as others do, with PyPI's unmodified `standardwebhooks`: the wish is on standard input."""

import datetime
import json
import sys

from standardwebhooks import Webhook

wish = json.load(sys.stdin)
at = datetime.datetime.fromtimestamp(wish["at"], tz=datetime.timezone.utc)
signature = Webhook(wish["secret"]).sign(msg_id=wish["id"], timestamp=at, data=wish["body"])
print(json.dumps({"webhook-id": wish["id"], "webhook-timestamp": str(wish["at"]), "webhook-signature": signature}))
