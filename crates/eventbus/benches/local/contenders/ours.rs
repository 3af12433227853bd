//! The bus, with the settings a subscription has by default.

use std::time::Duration;

use eventbus::{AnyEvent, EventBus, Filter, Pattern, Source, payment_kit};

use crate::load::{Contender, Groups, Handle, Load, Wants};

pub(crate) struct Ours(EventBus);

impl Contender for Ours {
    async fn start<H: Handle>(groups: &Groups, handler: impl Fn(usize) -> H + Send + Sync) -> Self {
        let bus = EventBus::connect("local:").await.expect("the URL is legal");
        for (number, wants) in groups.wants.iter().enumerate() {
            let subscription = bus.subscribe(format!("group-{number}")).order(groups.order);
            let started = subscription.on_filter(filter(wants), handler(number)).start().await;
            started.expect("the local transport can do all of this");
        }
        Self(bus)
    }

    async fn send(&self, event: &AnyEvent) {
        self.0.publish(event).await.expect("there is room in time");
    }

    async fn publish(&self, load: &Load) {
        for _ in 0..load.rounds {
            if load.batch == 1 {
                for event in load.pool.iter() {
                    self.send(event).await;
                }
            } else {
                for batch in load.pool.chunks(load.batch) {
                    self.0.publish_all(batch).await.expect("there is room in time");
                }
            }
        }
    }

    async fn stop(self) {
        let report = self.0.shutdown(Duration::from_secs(10)).await;
        assert!(report.is_complete(), "{report:?}");
    }
}

fn filter(wants: &Wants) -> Filter {
    match wants {
        Wants::All => Filter::all(),
        Wants::Type(wanted) => {
            let source = Source::new(payment_kit::SOURCE).expect("the catalogue's source is legal");
            Filter::new(Pattern::from(wanted.clone())).source(source)
        }
    }
}
