-- What was published with a key, so that it is published once.
CREATE TABLE idempotency (
    livemode INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    key TEXT NOT NULL,
    hash BLOB NOT NULL,
    -- What became of each event, as JSON.
    answer TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (livemode, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

-- Webhooks of others that were published, so that each is published once.
CREATE TABLE inbound (
    -- Of the source's name, the mode and the event's id.
    digest BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX inbound_expiry ON inbound (expires_at);

-- What was given up or is parked, which is little: of an endpoint by when it was stored, and of a state by its event.
-- For `IN` with more than two values SQLite would build a table at each change of a delivery.
CREATE INDEX delivery_failed ON delivery (endpoint_no, created_at, sequence)
    WHERE (state = 3 OR state = 4 OR state = 5 OR state = 8);
CREATE INDEX delivery_trouble ON delivery (state, event_no, endpoint_no)
    WHERE (state = 3 OR state = 4 OR state = 5 OR state = 8);
