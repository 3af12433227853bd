//! What only RabbitMQ has: other programs' messages, queues that vanish, arguments that differ, alarms.

mod bad_input;
mod foreign;
mod ground;
mod vanished;
