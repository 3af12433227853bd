//! How an endpoint stands, and the order of what it is owed.

use eventbus::transport::Order;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::health;
use super::writer::Write;
use crate::model::{DisabledReason, EndpointId, EndpointKey, Mode, Standing};

/// How an endpoint of a mode stands.
pub(super) fn find(connection: &Connection, mode: Mode, id: &EndpointId) -> Result<Option<Standing>> {
    let mut statement = connection.prepare_cached(
        "SELECT no, ordering, iif(status = 'disabled', disabled_reason, NULL) FROM endpoint
         WHERE id = ?1 AND livemode = ?2",
    )?;
    let found = statement.query_row(params![id.as_str(), mode.is_live()], |row| {
        let (key, reason) = (EndpointKey(row.get(0)?), row.get::<_, Option<String>>(2)?);
        let disabled_reason = reason.and_then(|word| DisabledReason::find(&word));
        let (order, health) = (order_of(&row.get::<_, String>(1)?), health::look(connection, key)?);
        Ok(Standing { key, order, disabled_reason, health })
    });
    found.optional()
}

/// Chooses the order of what is stored for an endpoint from now on.
pub(super) fn order(write: &mut Write<'_>, endpoint: EndpointKey, order: Order) -> Result<()> {
    let mut update = write
        .connection
        .prepare_cached("UPDATE endpoint SET ordering = ?2, version = version + 1 WHERE no = ?1")?;
    update.execute(params![endpoint.0, word(order)])?;
    *write.routes = None;
    Ok(())
}

/// The order with this word.
pub(super) fn order_of(text: &str) -> Order {
    if text == word(Order::PerKey) { Order::PerKey } else { Order::None }
}

/// The word of an order.
pub(super) fn word(order: Order) -> &'static str {
    match order {
        Order::None => "none",
        Order::PerKey => "key",
    }
}
