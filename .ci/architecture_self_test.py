"""Proves that the architecture checks see what they forbid, at the right line, and nothing else.

SOUND is a small workspace that holds what is allowed although it looks forbidden; BROKEN adds violations of each rule.
A line that ends in `!! rule` must be reported, and nothing else.
"""

import os
import re
import tempfile

MANIFEST = """\
[package]
name = "{name}"
version = "0.1.0"
[lints]
workspace = true
"""

AMQP = (
    *("acks", "wait", "message", "label", "error", "config", "connection", "topology", "lock", "post", "session", "publisher", "mover"),
    *("shared", "member", "desk", "waiting", "order", "inbox", "reader", "settler", "join", "ask", "backlog", "dead_letters"),
    *("plan", "entry", "graves", "agenda", "later", "pigeonhole", "keeper"),
)

REDIS = (
    *("keys", "message", "error", "config", "connection", "script", "server", "post", "publisher", "idempotency"),
    *("shared", "shard", "member", "inbox", "reading", "reader", "settler", "keeper", "start", "dead_letters"),
)

BRIDGE = (
    *("model", "error", "metrics", "trace", "store", "signing", "vault", "retry", "intake", "dispatcher", "ingress", "dashboard", "retention", "rewrap", "upkeep", "watch", "api"),
    *("transports",),
    *("config", "bridge"),
)

SOUND = {
    "Cargo.toml": """\
[workspace]
resolver = "3"
members = ["crates/*", "examples"]
[workspace.lints.rust]
unsafe_code = "forbid"
[workspace.dependencies]
eventbus = { path = "crates/eventbus" }
webhook-bridge = { path = "crates/webhook-bridge" }
""",
    "README.md": "line\n" * 200,
    "ARCHITECTURE.md": "line\n" * 150,
    "crates/eventbus/Cargo.toml": MANIFEST.format(name="eventbus"),
    "crates/eventbus/src/lib.rs": """\
pub use bus::EventBus;
pub use crate::engine::{self as motor, run::Runner as Engine};
pub use event::Event;
""",
    "crates/eventbus/src/event/mod.rs": r'''
//! Published by [`EventBus`](crate::bus::EventBus).
use crate::json::{Map, bus::NotTheBus};
use super::json; use crate::Event;
/* crate::bus /* nested */ crate::engine */
const TEXT: &str = "crate::engine \" crate::bus"; const RAW: &str = r#"a " crate::local"#;
fn quote<'a>(c: &'a char) -> bool { *c == '"' || *c == '\'' || *c == '\u{22}' }
pub(crate) fn bus() { let _ = self::inner::bus(); }
mod inner { use super::super::json; pub(crate) fn bus() { super::bus() } }
#[expect(dead_code, reason = "serde fills it")]
#[cfg_attr(test, allow(dead_code, reason = "the same"))]
struct Filled;
/// ```no_run
/// ```
#[cfg(test)]
mod tests {
    use crate::{bus::EventBus, engine};
}
''',
    "crates/eventbus/src/engine/mod.rs": "use crate::transport::Transport; use crate::event::Event;\n",
    "crates/eventbus/src/local/mod.rs": "mod tests;\nuse crate::transport::Transport;\n",
    "crates/eventbus/src/local/tests.rs": "use crate::bus::EventBus;\n",
    "crates/eventbus/src/transport.rs": "//\n" * 500 + "#[cfg(test)]\nmod tests {\n" + "//\n" * 50 + "}\n",
    **{f"crates/eventbus/src/{name}.rs": "" for name in ("bus", "catalogue", "gstable", "json", "payment_kit")},
    "crates/eventbus-amqp/Cargo.toml": MANIFEST.format(name="eventbus-amqp"),
    "crates/eventbus-amqp/src/lib.rs": "pub use transport::AmqpTransport;\n",
    "crates/eventbus-amqp/src/transport.rs": "use crate::topology::Bus; use crate::member::Member;\n",
    **{f"crates/eventbus-amqp/src/{name}.rs": "" for name in AMQP},
    "crates/eventbus-redis/Cargo.toml": MANIFEST.format(name="eventbus-redis"),
    "crates/eventbus-redis/src/lib.rs": "pub use transport::RedisTransport;\n",
    "crates/eventbus-redis/src/transport.rs": "use crate::keys::ShardKeys; use crate::member::Member;\n",
    **{f"crates/eventbus-redis/src/{name}.rs": "" for name in REDIS},
    "crates/webhook-bridge/Cargo.toml": MANIFEST.format(name="webhook-bridge")
    + "[dependencies]\neventbus.workspace = true\n",
    "crates/webhook-bridge/src/lib.rs": "pub use bridge::Bridge;\n",
    **{f"crates/webhook-bridge/src/{name}.rs": "" for name in BRIDGE},
    "crates/webhook-bridge/src/api.rs": "use crate::store::Store; use crate::dispatcher::Sender;\n",
    "crates/webhook-bridge/src/main.rs": "fn main() {}\n",
    "examples/Cargo.toml": MANIFEST.format(name="examples")
    + '[dependencies]\neventbus.workspace = true\nwebhook-bridge.workspace = true\n'
    + '[[example]]\nname = "quickstart"\npath = "quickstart.rs"\n',
    "examples/quickstart.rs": "//! Run with `cargo run --example quickstart`.\n" + "//\n" * 99,
    "examples/src/lib.rs": "//! What the examples share.\n",
}

BROKEN = {
    "README.md": "line\n" * 200 + "!! page\n",
    "ARCHITECTURE.md": "line\n" * 150 + "!! page\n",
    "crates/eventbus/Cargo.toml": MANIFEST.format(name="eventbus")
    + """\
[dev-dependencies]
webhook-bridge.workspace = true # !! direction
[target.'cfg(unix)'.dependencies]
examples = { path = "../../examples" } # !! direction versions
# TODO later # !! unfinished
""",
    "crates/eventbus/src/json.rs": """\
use crate::bus::EventBus; // !! layers
use crate::{event::Event, engine::{lane, retry}}; // !! layers
use super::local; // !! layers
use crate::{
    event::Event,
    EventBus, // !! layers
    motor, // !! layers
};
fn run() { crate::Engine::run() } // !! layers
mod inner { use super::super::bus; } // !! layers
use super::*; // !! layers
""",
    "crates/eventbus/src/gstable/row.rs": "macro_rules! row { () => { $crate::bus::EventBus } } // !! layers\n",
    "crates/eventbus/src/gstable/mod.rs": "use super::super::gstable;\nuse super::engine; // !! layers\n",
    "crates/eventbus/src/gstable.rs": None,
    "crates/eventbus/src/payment_kit.rs": None,  # reported in lib.rs
    "crates/eventbus/src/lib.rs": "// !! layers\n" + SOUND["crates/eventbus/src/lib.rs"],
    "crates/eventbus/src/engine/run.rs": "use crate::local::Queue; // !! layers\n",
    "crates/eventbus/src/local/mod.rs": "use crate::engine; // !! layers\n",
    "crates/eventbus/src/transport.rs": "use crate::bus::EventBus; // !! layers\n" + "//\n" * 499 + "// !! length\n",
    "crates/eventbus/src/bus.rs": """\
#[allow(dead_code)] // !! reason
#![expect( // !! reason
    dead_code
)]
#[cfg_attr(test, allow(dead_code))] // !! reason
#[allow(dead_code, reason = "")] // !! reason
#[ignore] // !! ignored
#[ignore = "slow"] // !! ignored
/// ```ignore !! ignored
// FIXME !! unfinished
""",
    "crates/eventbus/src/event/utils.rs": "// !! name\n",
    "crates/eventbus/src/core/mod.rs": "// !! name\n",
    "crates/eventbus-redis/src/keys.rs": "use crate::message::EntryId;\nuse crate::member::Member; // !! layers\n",
    "crates/eventbus-redis/src/member.rs": "use crate::RedisTransport; // !! layers\n",
    "crates/eventbus-redis/src/inbox.rs": "use crate::member::Member; use crate::start; use crate::settler;\n",
    "crates/eventbus-extra/Cargo.toml": "# !! direction lints\n[package]\nname = \"eventbus-extra\"\n",
    "crates/eventbus-extra/src/lib.rs": "",
    "crates/webhook-bridge/Cargo.toml": MANIFEST.format(name="webhook-bridge")
    + '[dependencies.eventbus] # !! versions\npath = "../eventbus"\n',
    "crates/webhook-bridge/src/model.rs": "use crate::store::Store; // !! layers\n",
    "crates/webhook-bridge/src/signing.rs": "use crate::model::Secret;\nuse crate::store::Store; // !! layers\n",
    "crates/webhook-bridge/src/dispatcher.rs": "use crate::Bridge; // !! layers\n",
    "examples/quickstart.rs": "// !! example\n" + "//\n" * 99 + "// !! example\n",
    "examples/src/bin/second.rs": "// !! example\n",
}


UNDOCUMENTED = {"README.md": None, "ARCHITECTURE.md": None}


def run(violations):
    failures = check(SOUND, [], violations)
    failures += check({**SOUND, **BROKEN}, marks(BROKEN), violations)
    failures += check({**SOUND, **UNDOCUMENTED}, [(path, 1, "page") for path in UNDOCUMENTED], violations)
    for failure in failures:
        print(failure)
    return "the architecture checks do not check what they should" if failures else 0


def check(tree, expected, violations):
    tree = {path: text for path, text in tree.items() if text is not None}
    with tempfile.TemporaryDirectory() as root:
        root = os.path.realpath(root)
        for path, text in tree.items():
            os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
            with open(f"{root}/{path}", "w", encoding="utf-8") as file:
                file.write(text)
        found = sorted({(path, line, rule) for path, line, rule, _ in violations(root)})
    expected = sorted(expected)
    print(f"{len(expected)} violations planted, {len(found)} found")
    missed = [f"{path}:{line}: {rule}: not reported" for path, line, rule in expected if (path, line, rule) not in found]
    wrong = [f"{path}:{line}: {rule}: reported wrongly" for path, line, rule in found if (path, line, rule) not in expected]
    return missed + wrong


def marks(tree):
    for path, text in tree.items():
        for number, line in enumerate((text or "").splitlines(), 1):
            if match := re.search(r"!! ([a-z ]+)$", line):
                yield from ((path, number, rule) for rule in match[1].split())
