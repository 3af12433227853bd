-- Times are milliseconds since 1970, modes are `livemode` as 0 or 1.

CREATE TABLE api_key (
    digest BLOB PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    livemode INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    -- To the minute.
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: the number of an endpoint that is gone is never another's, because deliveries name it.
CREATE TABLE endpoint (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    livemode INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    enabled_events TEXT NOT NULL,
    metadata TEXT NOT NULL,
    format TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('enabled', 'paused', 'disabled', 'deleted')),
    api_version TEXT NOT NULL,
    schedule TEXT NOT NULL,
    max_in_flight INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL,
    ordering TEXT NOT NULL DEFAULT 'none' CHECK (ordering IN ('none', 'key')),
    gone_policy TEXT NOT NULL DEFAULT 'confirmed' CHECK (gone_policy IN ('confirmed', 'immediate')),
    -- The only source whose events it gets.
    source TEXT,
    -- Why the bridge disabled it, as long as it is disabled.
    disabled_reason TEXT,
    -- Counts its changes, so that who changes what somebody else changed meanwhile is told.
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX endpoint_newest ON endpoint (livemode, no);
CREATE INDEX endpoint_url ON endpoint (livemode, url);

-- Apart from the endpoint, because it changes with every delivery.
CREATE TABLE sequence (
    endpoint_no INTEGER PRIMARY KEY,
    -- The number of its next delivery.
    next INTEGER NOT NULL,
    -- None after this number was ever sent.
    sent_to INTEGER NOT NULL DEFAULT 0,
    -- The first attempts up to this number are forgotten.
    forgotten_to INTEGER NOT NULL DEFAULT 0
) STRICT;

-- How an endpoint is doing, as JSON; none while it does well. Apart from it, because it changes with every failure.
CREATE TABLE health (
    endpoint_no INTEGER PRIMARY KEY,
    state TEXT NOT NULL
) STRICT;

CREATE TABLE endpoint_secret (
    endpoint_no INTEGER NOT NULL,
    version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (endpoint_no, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_expiry ON endpoint_secret (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE event (
    no INTEGER PRIMARY KEY,
    livemode INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    key TEXT,
    -- `traceparent`, and `tracestate` after a space.
    trace TEXT,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    -- When it is of no use any more, by who published it.
    expires_at INTEGER,
    -- Whether it was made for one endpoint, to test it: nobody else is ever given it.
    is_test INTEGER NOT NULL DEFAULT 0 CHECK (is_test IN (0, 1)),
    body BLOB NOT NULL
) STRICT;
-- By id, source last so that one is found without it, and by key: apart for every 4096 events, so that new ones do not change
-- a page each, anywhere among all that ever were. That an id is in one part only is seen to by whoever stores it.
CREATE UNIQUE INDEX event_identity ON event (no >> 12, livemode, id, source);
CREATE INDEX event_key ON event (no >> 12, livemode, key) WHERE key IS NOT NULL;
-- The log of a mode, by number.
CREATE INDEX event_mode ON event (livemode);

-- Clustered by endpoint and number: an endpoint's log is one range. One state at a time, and only one that is last:
-- 0 pending, 1 leased, 2 succeeded, 3 exhausted, 4 expired, 5 refused, 6 cancelled, 7 waiting for its key, 8 parked.
CREATE TABLE delivery (
    endpoint_no INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    event_no INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 8),
    attempts INTEGER NOT NULL,
    -- How many of them failed by a fault of the bridge.
    faults INTEGER NOT NULL,
    -- How many its schedule does not count beside those: made before it began again, or interrupted.
    earlier INTEGER NOT NULL DEFAULT 0,
    -- How many of the last ones, one after the other, ended with the bridge.
    interrupted INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    -- From then on it is not sent: its age, or its event's time.
    expires_at INTEGER NOT NULL,
    lease INTEGER,
    lease_until INTEGER,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    -- What it waits for others of, where its endpoint wants order.
    key TEXT,
    -- Its first attempt, by which most are delivered: stored by the change that it makes. Those after it are in `attempt`.
    first_at INTEGER,
    first_ms INTEGER,
    first_status INTEGER,
    first_trouble TEXT,
    PRIMARY KEY (endpoint_no, sequence),
    CHECK ((state = 1) = (lease IS NOT NULL) AND (state = 1) = (lease_until IS NOT NULL)),
    CHECK ((state BETWEEN 2 AND 6) = (finished_at IS NOT NULL)),
    CHECK (state != 7 OR key IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX delivery_event ON delivery (event_no, endpoint_no);
-- The queue: only what waits for its time is in it, so what was delivered or waits for its key costs it nothing.
CREATE INDEX delivery_due ON delivery (endpoint_no, due_at, sequence) WHERE state = 0;
CREATE INDEX delivery_lease ON delivery (lease_until) WHERE state = 1;
CREATE INDEX delivery_parked ON delivery (due_at) WHERE state = 8;
-- The lines: what is not over of a key, the first one first.
CREATE INDEX delivery_line ON delivery (endpoint_no, key, sequence) WHERE finished_at IS NULL AND key IS NOT NULL;

CREATE TABLE attempt (
    endpoint_no INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number > 1),
    started_at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status INTEGER,
    trouble TEXT,
    PRIMARY KEY (endpoint_no, sequence, number)
) STRICT, WITHOUT ROWID;

-- Apart from the attempt, because most answers have nothing to keep.
CREATE TABLE answer (
    endpoint_no INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    number INTEGER NOT NULL,
    body BLOB NOT NULL,
    note TEXT
) STRICT;
CREATE UNIQUE INDEX answer_attempt ON answer (endpoint_no, sequence, number);

-- How far forgetting has come: bodies of events up to this number are gone, endpoints after this one come next.
CREATE TABLE forgotten (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    bodies INTEGER NOT NULL,
    endpoint INTEGER NOT NULL
) STRICT;
INSERT INTO forgotten (one, bodies, endpoint) VALUES (1, 0, 0);
