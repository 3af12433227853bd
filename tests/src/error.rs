//! What the included sources find under `crate::error`.

pub(crate) use eventbus::{Error, ErrorKind, Result};
