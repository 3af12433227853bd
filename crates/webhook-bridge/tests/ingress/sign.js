// Signs as others do, with their unmodified libraries where there are any: `node sign.js SCHEME FOLDER`, the wish on standard
// input.
const { createHmac } = require('node:crypto');
const [scheme, folder] = process.argv.slice(2);
const library = (name) => require(require.resolve(name, { paths: [folder] }));
const wish = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));

const schemes = {
  standard: ({ secret, id, at, body }) => {
    const { Webhook } = library('standardwebhooks');
    const signature = new Webhook(secret).sign(id, new Date(at * 1000), body);
    return { 'webhook-id': id, 'webhook-timestamp': String(at), 'webhook-signature': signature };
  },
  stripe: ({ secret, at, body }) => {
    const stripe = library('stripe');
    const Stripe = stripe.Stripe ?? stripe.default ?? stripe;
    const header = new Stripe('sk_test_none').webhooks.generateTestHeaderString({ payload: body, secret, timestamp: at });
    return { 'stripe-signature': header };
  },
  // By Blocklet Server's `webhook/signature.js`, which signs what it writes.
  blocklet: ({ secret, at, body }) => {
    const hmac = createHmac('sha256', secret).update(`${at}.${JSON.stringify(JSON.parse(body))}`).digest('hex');
    return { 'x-webhook-signature': `t=${at},v1=${hmac}` };
  },
};
process.stdout.write(JSON.stringify(schemes[scheme](wish)));
