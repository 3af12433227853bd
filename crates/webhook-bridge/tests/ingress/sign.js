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
  // Payment Kit signs its webhooks with the SDK that its client brings along.
  'payment-kit': async ({ secret, path, body }) => {
    const { getSignData } = library('@blocklet/sdk/lib/util/verify-sign');
    const request = { data: JSON.parse(body), method: 'POST', url: `http://bridge.example${path}` };
    const { sig, iat, exp, version } = await getSignData(request, { appSk: secret });
    const times = { 'x-component-sig-iat': String(iat), 'x-component-sig-exp': String(exp) };
    return { 'x-component-sig': sig, ...times, 'x-component-sig-version': String(version) };
  },
  // GStable has no library that signs: by its pages.
  gstable: ({ secret, at, body }) => {
    const timestamp = String(at * 1000);
    const signature = createHmac('sha256', secret).update(`${timestamp}:${body}`).digest('hex');
    return { 'x-gstable-timestamp': timestamp, 'x-gstable-signature': signature };
  },
};
(async () => process.stdout.write(JSON.stringify(await schemes[scheme](wish)), () => process.exit(0)))();
