// amqplib as its users write it: `client.js publish|consume URL NAME PREFETCH POOL`.
//
// publish reads a number per line, publishes so many events with at most 1,024 unconfirmed, and says when the broker
// has confirmed all of them. consume acknowledges 250 messages at once, and the rest when nothing more comes; it says
// how many it has handled.
const amqp = require('amqplib');
const fs = require('fs');
const readline = require('readline');

const WINDOW = 1024;
const ACK = 250;
const IDLE = 5;

async function publish(connection, name, prefetch, file) {
  const channel = await connection.createConfirmChannel();
  const events = fs.readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => {
    const { id, type, source } = JSON.parse(line);
    return { id, key: `${source}.${type}`, body: Buffer.from(line) };
  });
  console.log('ready');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    await all(channel, name, events, Number(line));
    console.log('confirmed');
  }
}

function all(channel, name, events, count) {
  return new Promise((resolve, reject) => {
    let [sent, confirmed] = [0, 0];
    const more = () => {
      while (sent < count && sent - confirmed < WINDOW) {
        const { id, key, body } = events[sent++ % events.length];
        const options = { persistent: true, contentType: 'application/json', messageId: id };
        channel.publish(name, key, body, options, (error) => {
          if (error) return reject(error);
          confirmed += 1;
          if (confirmed === count) return resolve();
          if (sent < count && sent - confirmed <= WINDOW / 2) more();
        });
      }
    };
    more();
  });
}

async function consume(connection, name, prefetch) {
  const channel = await connection.createChannel();
  await channel.prefetch(Number(prefetch));
  let [handled, last, timer] = [0, null, null];
  const settle = () => {
    if (!last) return;
    channel.ack(last, true);
    console.log(handled);
    [handled, last] = [0, null];
  };
  await channel.consume(name, (message) => {
    JSON.parse(message.content);
    [handled, last] = [handled + 1, message];
    if (handled === ACK) settle();
    if (!timer) timer = setInterval(settle, IDLE);
  });
  console.log('ready');
  for await (const _ of readline.createInterface({ input: process.stdin }));
}

async function main([work, url, ...rest]) {
  const connection = await amqp.connect(url);
  await { publish, consume }[work](connection, ...rest);
  await connection.close();
  process.exit(0);
}

main(process.argv.slice(2));
