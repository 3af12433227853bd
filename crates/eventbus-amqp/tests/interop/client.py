"""What a program in another language does with the bus: plain pika, no library of ours.

consume URL EXCHANGE KEY COUNT   prints a line when it is ready, then a line of JSON per message
publish URL EXCHANGE             reads a line of JSON per message, prints a line when the broker has confirmed it

A body is a string with a character per byte.
"""

import json
import sys

import pika


def main(work, url, exchange, *rest):
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    {"consume": consume, "publish": publish}[work](channel, exchange, *rest)
    channel.connection.close()


def consume(channel, exchange, key, count):
    # As the bus makes it, whoever comes first.
    channel.exchange_declare(exchange, "topic", durable=True)
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, exchange, key)
    say("ready")
    messages = channel.consume(queue)
    for _, (method, properties, body) in zip(range(int(count)), messages):
        say(json.dumps(told(method, properties, body)))
        channel.basic_ack(method.delivery_tag)
    channel.cancel()


def told(method, properties, body):
    names = ["message_id", "type", "app_id", "timestamp", "content_type", "delivery_mode", "headers"]
    known = {name: getattr(properties, name) for name in names}
    return {"key": method.routing_key, "body": body.decode("latin-1"), **known}


def publish(channel, exchange):
    channel.confirm_delivery()
    for line in sys.stdin:
        message = json.loads(line)
        body = message["body"].encode("latin-1")
        properties = pika.BasicProperties(**message["properties"])
        channel.basic_publish(exchange, message["key"], body, properties, mandatory=True)
        say("confirmed")


def say(line):
    print(line, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
