//! Every key this transport uses, in one place. All keys of a shard carry the same hash tag, so that scripts stay legal
//! on a cluster.

/// The keys of one shard.
#[derive(Debug, Clone)]
pub(crate) struct ShardKeys {
    prefix: String,
    /// The stream of events.
    pub(crate) log: String,
    /// Scheduled events: id by due time.
    pub(crate) later: String,
    /// Scheduled events: fields by id.
    pub(crate) events: String,
    /// The latest number given to a dead letter.
    pub(crate) numbers: String,
    /// What whoever trimmed last found, for a moment: nobody else needs to do it.
    pub(crate) lock: String,
    /// What all processes of the bus agree on; of the first shard only.
    pub(crate) settings: String,
}

impl ShardKeys {
    /// The keys of a shard of the bus with this name.
    pub(crate) fn new(bus: &str, shard: u16) -> Self {
        let prefix = format!("eventbus:{{{bus}/{shard}}}");
        let key = |part: &str| format!("{prefix}:{part}");
        Self {
            log: key("log"),
            later: key("later"),
            events: key("later:events"),
            numbers: key("dead-number"),
            lock: key("trimming"),
            settings: key("settings"),
            prefix,
        }
    }

    /// What the keys of every group of this shard begin with.
    pub(crate) fn groups(&self) -> String {
        format!("{}:group:", self.prefix)
    }

    /// The keys of a group, in the order in which its scripts take them.
    pub(crate) fn group(&self, group: &str) -> GroupKeys {
        const PARTS: [&str; 8] = ["again", "kept", "waiting", "parked", "dead", "bound", "members", "meta"];
        let prefix = self.groups();
        let mut keys = vec![self.log.clone()];
        keys.extend(PARTS.map(|part| format!("{prefix}{group}:{part}")));
        keys.push(self.numbers.clone());
        GroupKeys(keys.into())
    }
}

/// The keys of a group in one shard.
#[derive(Debug, Clone)]
pub(crate) struct GroupKeys(pub(crate) Box<[String]>);

impl GroupKeys {
    /// The stream of events, which all groups share.
    pub(crate) fn log(&self) -> &str {
        &self.0[0]
    }

    /// The keys that are held, each with the place of what holds it.
    pub(crate) fn bound(&self) -> &str {
        &self.0[6]
    }

    /// The stream of messages that come to this group again.
    pub(crate) fn again(&self) -> &str {
        &self.0[1]
    }
}

/// The shard that a key belongs to: FNV-1a of its bytes, so that every process and every version agrees.
pub(crate) fn shard(key: &str, shards: u16) -> u16 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u16::try_from(hash % u64::from(shards)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_shard_have_its_hash_tag() {
        let keys = ShardKeys::new("shop", 3);
        assert_eq!(keys.log, "eventbus:{shop/3}:log");
        let group = keys.group("mail");
        assert_eq!(group.again(), "eventbus:{shop/3}:group:mail:again");
        assert!(group.0.iter().all(|key| key.starts_with("eventbus:{shop/3}:")));
    }

    #[test]
    fn the_shard_of_a_key_never_changes() {
        assert_eq!(["acct_1", "acct_2", "", "ü"].map(|key| shard(key, 16)), [10, 7, 5, 10]);
        assert_eq!(shard("anything", 1), 0);
    }
}
