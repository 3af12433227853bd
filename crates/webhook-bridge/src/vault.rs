//! Secrets at rest: encrypted with one key that is not in the store.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as Io, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Sealed, Secret};

/// The first byte of what is sealed: which algorithm and key, for the day there is a second one.
const VERSION: u8 = 1;
const KEY: usize = 32;

/// Seals and opens secrets (ChaCha20-Poly1305, a random nonce each).
pub struct Vault {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Vault {
    /// The name of its key in the folder of a bridge.
    pub const FILE: &'static str = "secret.key";

    /// A vault with this key.
    ///
    /// # Errors
    /// Never in practice: every 32 bytes are a key.
    pub fn new(key: &[u8; KEY]) -> Result<Self> {
        let refused = |_| Error::new(ErrorKind::Internal, "the key of the vault was refused");
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).map_err(refused)?);
        Ok(Self { key, random: SystemRandom::new() })
    }

    /// The vault whose key is in this file, which must open what the store has sealed, if it has anything. Only where it
    /// has nothing, a file that is not there is made, readable by its owner only. One that was about to [replace](Self::replacing)
    /// it does so now, if it is the store's, or else goes.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) when the file cannot be used, is not 32 bytes, or is not the store's.
    pub fn open(path: &Path, sealed: Option<&Sealed>) -> Result<Self> {
        let refused = |why: &str| Error::invalid(format!("{}: {why}", path.display()));
        settle(path, sealed).map_err(|cause| refused("cannot be replaced").with_source(cause))?;
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == Io::NotFound && sealed.is_none() => {
                make(path).map_err(|cause| refused("cannot be made").with_source(cause))?
            }
            Err(cause) => {
                let why = "cannot be read, and the secrets in the store beside it open with no other key";
                return Err(refused(if sealed.is_some() { why } else { "cannot be read" }).with_source(cause));
            }
        };
        let key = bytes.as_slice().try_into().map_err(|_| refused("must have 32 bytes"))?;
        let vault = Self::new(key)?;
        match sealed.map(|sealed| vault.open_secret(sealed)) {
            Some(Err(_)) => Err(refused("is not the key of the secrets in the store beside it")),
            _ => Ok(vault),
        }
    }

    /// A vault with a new key, which is synced beside the file of the former one and will take its place.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) when it cannot be written.
    pub fn replacing(path: &Path) -> Result<Self> {
        let next = next(path);
        let unwritable =
            |cause| Error::invalid(format!("{}: cannot be made", next.display())).with_source(cause);
        let key = make(&next).map_err(unwritable)?;
        let short = |_| Error::new(ErrorKind::Internal, "a key has 32 bytes");
        Self::new(&key.try_into().map_err(short)?)
    }

    /// Puts the new key in the place of the former one.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) when that cannot be done.
    pub fn replaced(path: &Path) -> Result<()> {
        let stuck =
            |cause| Error::invalid(format!("{}: cannot be replaced", path.display())).with_source(cause);
        rename(&next(path), path).map_err(stuck)
    }

    /// Encrypts a secret.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when the system has no randomness.
    pub fn seal(&self, secret: &Secret) -> Result<Sealed> {
        let failed = |_| Error::new(ErrorKind::Internal, "a secret could not be encrypted");
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(failed)?;
        let mut text = secret.reveal().as_bytes().to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(unique, Aad::from([VERSION]), &mut text).map_err(failed)?;
        Ok(Sealed([&[VERSION], &nonce[..], &text[..]].concat()))
    }

    /// Decrypts a secret.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when it was sealed with another key, or changed.
    pub fn open_secret(&self, sealed: &Sealed) -> Result<Secret> {
        let failed = || Error::new(ErrorKind::Internal, "a stored secret is not of this key");
        let (&version, rest) = sealed.0.split_first().ok_or_else(failed)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or_else(failed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
        let mut text = text.to_vec();
        let plain = self.key.open_in_place(nonce, Aad::from([version]), &mut text).map_err(|_| failed())?;
        let plain = std::str::from_utf8(plain).map_err(|_| failed())?;
        Ok(Secret::new(plain))
    }
}

/// Makes a key that is there whole or not at all, also after a loss of power.
fn make(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut key = vec![0; KEY];
    SystemRandom::new().fill(&mut key).map_err(|_| std::io::Error::other("the system has no randomness"))?;
    let begun = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&begun)?;
    file.write_all(&key)?;
    file.sync_all()?;
    rename(&begun, path)?;
    Ok(key)
}

/// Where a key is that will take the place of another.
fn next(path: &Path) -> PathBuf {
    path.with_extension("next")
}

fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(from, to)?;
    to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Ends what was interrupted while the key was replaced: of two keys the one stays that opens what the store has sealed.
fn settle(path: &Path, sealed: Option<&Sealed>) -> std::io::Result<()> {
    let next = next(path);
    let Some(sealed) = sealed.filter(|_| next.exists()) else { return Ok(()) };
    let opens = |path: &Path| {
        let key = std::fs::read(path).ok().and_then(|bytes| <[u8; KEY]>::try_from(bytes).ok());
        key.and_then(|key| Vault::new(&key).ok()).is_some_and(|vault| vault.open_secret(sealed).is_ok())
    };
    match (opens(path), opens(&next)) {
        (true, _) => std::fs::remove_file(&next),
        (false, true) => rename(&next, path),
        // Neither is of use, and neither is touched: what follows says so.
        (false, false) => Ok(()),
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_only() {
        let secret = Secret::new("whsec_abc");
        let sealed = Vault::new(&[1; 32]).unwrap().seal(&secret).unwrap();
        assert!(!sealed.0.windows(3).any(|part| part == b"abc"));
        assert_eq!(Vault::new(&[1; 32]).unwrap().open_secret(&sealed).unwrap(), secret);
        assert!(Vault::new(&[2; 32]).unwrap().open_secret(&sealed).is_err());
        let mut changed = sealed;
        changed.0[20] ^= 1;
        assert!(Vault::new(&[1; 32]).unwrap().open_secret(&changed).is_err());
    }

    #[test]
    fn the_key_file_is_made_once_and_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let sealed = Vault::open(&path, None).unwrap().seal(&Secret::new("s")).unwrap();
        assert_eq!(Vault::open(&path, Some(&sealed)).unwrap().open_secret(&sealed).unwrap().reveal(), "s");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// Whenever it ends in between: before the store has the new secrets, or after.
    #[test]
    fn of_two_keys_the_one_stays_that_opens_the_stores_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let secret = Secret::new("s");
        let former = Vault::open(&path, None).unwrap().seal(&secret).unwrap();
        let new = Vault::replacing(&path).unwrap().seal(&secret).unwrap();
        let next = std::fs::read(folder.path().join("secret.next")).unwrap();
        assert_eq!(Vault::open(&path, Some(&former)).unwrap().open_secret(&former).unwrap(), secret);
        assert!(!folder.path().join("secret.next").exists());

        std::fs::write(folder.path().join("secret.next"), &next).unwrap();
        assert_eq!(Vault::open(&path, Some(&new)).unwrap().open_secret(&new).unwrap(), secret);
        assert_eq!(std::fs::read(&path).unwrap(), next);
        assert!(Vault::open(&path, Some(&former)).is_err());
    }

    #[test]
    fn a_key_that_is_not_the_stores_is_refused_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let sealed = Vault::new(&[1; 32]).unwrap().seal(&Secret::new("s")).unwrap();
        let missing = Vault::open(&path, Some(&sealed)).unwrap_err();
        assert!(missing.to_string().contains("no other key"), "{missing}");
        assert!(!path.exists());
        std::fs::write(&path, [2; 32]).unwrap();
        let other = Vault::open(&path, Some(&sealed)).unwrap_err();
        assert!(other.to_string().contains("is not the key"), "{other}");
        assert_eq!(std::fs::read(&path).unwrap(), [2; 32]);
    }
}
