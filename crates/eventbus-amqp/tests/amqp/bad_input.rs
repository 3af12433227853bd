//! What is wrong is named, with the mend; and no password.

use eventbus::{AnyEvent, ErrorKind};
use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;

use crate::ground::{bus, client, host};

#[tokio::test]
async fn wrong_credentials_and_vhosts_are_named() {
    let host = host().await;
    let wrong_password = host.url().replace("guest:guest", "guest:secret");
    let wrong_host = format!("{}-none", host.url());
    for url in [wrong_password, wrong_host] {
        let error = bus(&url).await.expect_err("nobody is let in");
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        let text = error.to_string();
        assert!(text.contains("check user, password and vhost") && !text.contains("secret"), "{text}");
    }
    let error = bus("amqp://127.0.0.1:1").await.expect_err("there is no broker");
    assert_eq!(error.kind(), ErrorKind::NotSent, "{error}");
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn an_exchange_that_is_something_else_is_named_with_the_mend() {
    let host = host().await;
    let (_connection, channel) = client(&host).await;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared =
        channel.exchange_declare("bus".into(), ExchangeKind::Fanout, options, FieldTable::default());
    declared.await.unwrap();
    let error = bus(&host.url()).await.expect_err("it is no topic exchange");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let text = error.to_string();
    assert!(text.contains("exchange bus") && text.contains("delete it"), "{text}");
    bus(&format!("{}?name=shop", host.url())).await.expect("another bus is not concerned");
}

#[tokio::test]
async fn a_queue_with_other_arguments_is_named_with_the_mend() {
    let host = host().await;
    let (_connection, channel) = client(&host).await;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("bus/mail".into(), options, FieldTable::default()).await.unwrap();
    let bus = bus(&host.url()).await.unwrap();
    let started = bus.subscribe("mail").on(|_: AnyEvent| async { Ok(()) }).start().await;
    let error = started.expect_err("it is another queue");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let text = error.to_string();
    assert!(text.contains("bus/mail") && text.contains("delete it"), "{text}");
    bus.subscribe("other")
        .on(|_: AnyEvent| async { Ok(()) })
        .start()
        .await
        .expect("other groups are not concerned");
}
