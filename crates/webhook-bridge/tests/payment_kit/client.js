// Payment Kit's published client and its verifier, unmodified: does what each line of its input says, and prints what came of
// it. The folder they are installed in is the argument.
const { createInterface } = require('node:readline');
const { createServer } = require('node:http');

const installed = (name) => require(require.resolve(name, { paths: [process.argv.at(-1)] }));
const { default: payment } = installed('@blocklet/payment-js');
const { verifySig } = installed('@blocklet/sdk/lib/middlewares/component');
const { getSignData } = installed('@blocklet/sdk/lib/util/verify-sign');

const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

async function call({ method, livemode, parameters }) {
  payment.environments.setLivemode(livemode);
  try {
    print({ value: await payment.webhookEndpoints[method](...parameters) });
  } catch (error) {
    if (!error.response) throw error;
    print({ status: error.response.status, refusal: error.response.data });
  }
}

// What the verifier says of a request: a status.
const verdict = (request) =>
  new Promise((resolve, reject) => {
    const refuse = { status: (status) => ({ json: () => resolve(status) }) };
    verifySig(request, refuse, () => resolve(200)).catch(reject);
  });

// A receiver as Payment Kit's guide has it, without a framework: the verifier's own view of a request, and what it answers.
function receive() {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    const url = new URL(request.url, 'http://receiver');
    const seen = {
      get: (name) => request.headers[name.toLowerCase()],
      body: JSON.parse(text),
      method: request.method,
      originalUrl: request.url,
      query: Object.fromEntries(url.searchParams),
    };
    const status = await verdict(seen);
    const tampered = await verdict({ ...seen, body: { ...seen.body, id: 'evt_other' } });
    const elsewhere = await verdict({ ...seen, originalUrl: '/elsewhere' });
    const now = Date.now;
    Date.now = () => now() + 302_000;
    const stale = await verdict(seen);
    Date.now = now;
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    print({ status, tampered, elsewhere, stale, body: seen.body });
  });
  server.listen(0, '127.0.0.1', () => print({ port: server.address().port }));
}

// A receiver that only verifies, one request beside the other.
function verify() {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    const seen = {
      get: (name) => request.headers[name.toLowerCase()],
      body: JSON.parse(text),
      method: request.method,
      originalUrl: request.url,
      query: Object.fromEntries(new URL(request.url, 'http://receiver').searchParams),
    };
    const status = await verdict(seen);
    print({ status, id: seen.body.id });
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1', () => print({ port: server.address().port }));
}

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    const wish = JSON.parse(line);
    if (wish.method === 'receive') receive();
    else if (wish.method === 'verify') verify();
    else if (wish.method === 'sign') print(await getSignData(wish.parameters));
    else await call(wish);
  }
  process.exit(0);
})();
