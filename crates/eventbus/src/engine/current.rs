//! What the code that runs right now is doing: handling a message of which bus, in which trace.

use std::cell::{Cell, RefCell};

use crate::event::TraceContext;

thread_local! {
    static BUS: Cell<u64> = const { Cell::new(0) };
    static TRACE: RefCell<Option<TraceContext>> = const { RefCell::new(None) };
}

/// Marks the code until the guard goes as handling a message; the guard lives within one poll.
pub(crate) struct Handling {
    bus: u64,
    trace: Option<Option<TraceContext>>,
}

impl Handling {
    pub(crate) fn enter(bus: u64, trace: Option<&TraceContext>) -> Self {
        let trace = trace.map(|trace| TRACE.replace(Some(trace.clone())));
        Self { bus: BUS.replace(bus), trace }
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        BUS.set(self.bus);
        if let Some(before) = self.trace.take() {
            TRACE.replace(before);
        }
    }
}

/// Tells whether this code is part of a handler of the bus with this number.
pub(crate) fn is_handling(bus: u64) -> bool {
    BUS.get() == bus
}

/// The trace of the message that is being handled.
pub(crate) fn trace() -> Option<TraceContext> {
    TRACE.with_borrow(Clone::clone)
}
