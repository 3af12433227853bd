// Receivers as others write them: verifies what each line of its input was sent, and prints what came of it. The folder of
// the unmodified `standardwebhooks` of npm is the argument.
const { createHmac, timingSafeEqual } = require('node:crypto');
const { createInterface } = require('node:readline');

const { Webhook } = require(require.resolve('standardwebhooks', { paths: [process.argv[2]] }));

const TOLERANCE = 300;
const now = Date.now;

const hmac = (key, text) => createHmac('sha256', key).update(text).digest('hex');
const check = (rule, holds) => {
  if (!holds) throw new Error(rule);
};
const same = (one, other) => check('signature', one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other)));
const fresh = (seconds) => check('timestamp', Math.abs(Date.now() / 1000 - seconds) <= TOLERANCE);

const schemes = {
  standard: ({ secret, headers, body }) => new Webhook(secret).verify(body, headers),

  // By Blocklet Server's verifier, which signs again what it parsed.
  blocklet: ({ secret, headers, body }) => {
    const parts = Object.fromEntries(headers['x-webhook-signature'].split(',').map((part) => part.split('=')));
    fresh(Number(parts.t));
    same(parts.v1, hmac(secret, `${parts.t}.${JSON.stringify(JSON.parse(body))}`));
  },

  // By GStable's pages; its body is not signed again.
  gstable: ({ secret, headers, body }) => {
    const timestamp = headers['x-gstable-timestamp'];
    fresh(Number(timestamp) / 1000);
    same(headers['x-gstable-signature'], hmac(secret, `${timestamp}:${body}`));
  },
};

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    const wish = JSON.parse(line);
    Date.now = () => now() + wish.later * 1000;
    let refusal = null;
    try {
      schemes[wish.scheme](wish);
    } catch (error) {
      refusal = error.message;
    }
    process.stdout.write(`${JSON.stringify({ refusal })}\n`);
  }
})();
