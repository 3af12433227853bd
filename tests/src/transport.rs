//! What the included sources find under `crate::transport`.

pub(crate) use eventbus::transport::*;
