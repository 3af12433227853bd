//! What lies in columns as text, and back.

use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// Reads JSON that this program wrote.
pub(super) fn json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|cause| {
        Error::new(ErrorKind::Internal, "a column is not the JSON it was").with_source(cause)
    })
}

/// Writes JSON; what is written here cannot fail to be.
pub(super) fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|cause| {
        Error::new(ErrorKind::Internal, "a value cannot be written as JSON").with_source(cause)
    })
}

/// Turns an error of parsing a column into SQLite's.
pub(super) fn parsed<T>(column: usize, parse: impl FnOnce() -> Result<T>) -> rusqlite::Result<T> {
    parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// Tells whether a row is not what this program writes, or is not there, which is that row's trouble and nobody else's.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows,
    };
    matches!(
        error,
        FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | QueryReturnedNoRows
    )
}
