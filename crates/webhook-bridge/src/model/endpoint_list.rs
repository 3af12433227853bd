//! Lists of endpoints: which, in which order, from where.

use super::endpoint::{Endpoint, EndpointId};
use crate::error::{Error, Result};

/// Which endpoints of a mode are listed, and in which order.
#[derive(Debug, Clone)]
pub struct EndpointPage {
    /// By what, the most important first; then by age.
    pub order: Vec<(EndpointField, Direction)>,
    /// From where.
    pub start: Start,
    /// How many at most.
    pub limit: u32,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// After so many.
    Skip(u64),
    /// After this one; the list is by age.
    After(EndpointId),
    /// So that it ends before this one; the list is by age.
    Before(EndpointId),
}

/// What endpoints are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointField {
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// Its id.
    Id,
    /// Its URL.
    Url,
    /// Its description.
    Description,
    /// Whether it gets events.
    Status,
}

impl EndpointField {
    const ALL: [Self; 6] =
        [Self::CreatedAt, Self::UpdatedAt, Self::Id, Self::Url, Self::Description, Self::Status];

    /// Its name on the wire, which is the column's too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Id => "id",
            Self::Url => "url",
            Self::Description => "description",
            Self::Status => "status",
        }
    }

    /// The field of this name.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming those there are.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("order: must be by one of {names}"))
        })
    }
}

/// Which way a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The greatest first.
    Descending,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// A page of endpoints, and how many there are on all pages.
#[derive(Debug, Clone)]
pub struct EndpointList {
    /// How many there are.
    pub count: u64,
    /// Those of the page.
    pub list: Vec<Endpoint>,
}
