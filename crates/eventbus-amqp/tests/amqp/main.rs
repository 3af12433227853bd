//! What only RabbitMQ has: other programs' messages, queues that vanish, arguments that differ, alarms,
//! time-outs, TLS.

mod bad_input;
mod closing;
mod cluster;
mod foreign;
mod ground;
mod later;
mod limits;
mod locks;
mod order;
mod secure;
mod vanished;
