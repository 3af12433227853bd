//! Sending what is owed: claim what is due, fairly per endpoint; attempt it; store what became of it.

mod agenda;
pub mod answer;
mod attempt;
mod claim;
mod connector;
mod desk;
pub mod egress;
mod judgement;
mod resolver;
mod tls;

#[cfg(test)]
mod tests;

pub use attempt::Sender;
pub use claim::Dispatcher;
pub use judgement::Judgement;
pub use tls::Roots;
