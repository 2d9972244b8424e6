// The real program on a port of its own, with the sandbox of Alipay beside it, and an operator who sets up sales.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const PATIENCE_MS = 30_000;
const PASSWORD = 'correct horse battery';
/** So long ago a session has just begun. */
const JUST_MS = 1_000;

async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** The variable of a setting. */
const nameOf = (key) => `DOORBUSTER__${key.replace('.', '__').toUpperCase()}`;

export async function until(what, check, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false && value !== null) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Starts everything. `front`: an address that leads to the server, such as a proxy's. */
export async function startShop({ program, front, port: wanted, settings = {} }) {
  const data = mkdtempSync(join(tmpdir(), 'doorbuster-storefront-'));
  const port = wanted ?? (await freePort());
  const back = `http://127.0.0.1:${port}`;
  const base = front ?? back;
  const log = createWriteStream(join(data, 'log'));

  const sandbox = spawn(join(dirname(program), 'alipay-sandbox'), [
    ...['--listen', '127.0.0.1:0', '--speed', '60', '--with-parent', '--keys', join(data, 'gateway')],
  ]);
  sandbox.stderr.pipe(log, { end: false });
  const [line] = await once(createInterface({ input: sandbox.stdout }), 'line');
  const said = JSON.parse(line);

  const set = {
    'store.url': `sqlite://${join(data, 'doorbuster.db')}`,
    'server.listen': `127.0.0.1:${port}`,
    'payments.public_url': base,
    'points.welcome': '5000',
    'shop.name': 'Lantern Shop',
    ...Object.fromEntries(Object.entries(said).filter(([key]) => key.startsWith('alipay_')).map(([key, value]) => [`payments.${key}`, value])),
    ...settings,
  };
  const environment = { ...process.env };
  for (const [key, value] of Object.entries(set)) environment[nameOf(key)] = String(value);
  const run = (args, more = {}) => spawn(program, args, { env: { ...environment, ...more }, stdio: ['pipe', 'pipe', 'pipe'] });
  /** A node that answers. */
  const serve = async (at, more) => {
    const node = run(['serve'], more);
    node.stdout.pipe(log, { end: false });
    node.stderr.pipe(log, { end: false });
    await until('the server to be ready', async () => {
      if (node.exitCode !== null) throw new Error(`the server ended: ${shop.log()}`);
      return fetch(`${at}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
    return node;
  };
  const kill = async (node, signal) => {
    const ended = once(node, 'exit');
    node.kill(signal);
    await ended;
  };

  const create = async (username, role) => {
    const creating = run(['operator', 'create', '--username', username, '--display-name', 'Operator', '--role', role, '--password-stdin']);
    creating.stdin.end(`${PASSWORD}\n`);
    creating.stderr.pipe(log, { end: false });
    const [code] = await once(creating, 'exit');
    if (code !== 0) throw new Error(`no operator: ${readFileSync(join(data, 'log'), 'utf8')}`);
  };
  await create('operator', 'OPERATOR');

  let server;
  const nodes = [];
  const shop = {
    base,
    back,
    log: () => (existsSync(join(data, 'log')) ? readFileSync(join(data, 'log'), 'utf8') : ''),
    password: PASSWORD,
    /** Where the sandbox's cashier is, and its JSON face. */
    sandbox: said.listening,
    async start() {
      server = await serve(back);
    },
    /** One more node of the same shop, where the database and the broker are servers. */
    async node(name) {
      const listen = `127.0.0.1:${await freePort()}`;
      const at = `http://${listen}`;
      const process = await serve(at, { [nameOf('server.listen')]: listen, [nameOf('node.name')]: name });
      nodes.push(process);
      return { base: at, end: (signal) => kill(process, signal) };
    },
    /** A setting for the next start. */
    set(key, value) {
      environment[nameOf(key)] = value;
    },
    /** A statement straight to the database, past the program: what only an accident does. */
    sql(statement) {
      const script = 'import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None).execute(sys.argv[2])';
      execFileSync('python3', ['-c', script, join(data, 'doorbuster.db'), statement]);
    },
    /** Starts the server if a flow has left it ended. */
    async up() {
      if (server.exitCode !== null || server.signalCode !== null) await shop.start();
    },
    /** `SIGKILL` is a crash, `SIGTERM` a restart. */
    async end(signal) {
      await kill(server, signal);
    },
    async ask(query, variables = {}, token = undefined) {
      const response = await fetch(`${back}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
        body: JSON.stringify({ query, variables }),
      });
      const { data: answer, errors } = await response.json();
      if (errors) throw new Error(JSON.stringify(errors));
      return answer;
    },
    async close() {
      for (const node of [server, ...nodes]) node?.kill('SIGKILL');
      sandbox.kill('SIGKILL');
      rmSync(data, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  await shop.start();

  const signIn = 'mutation ($input: UserSignInInput!) { it: userSignIn(input: $input) { accessToken { token } userErrors { code } } }';
  const { it } = await shop.ask(signIn, { input: { username: 'operator', password: PASSWORD } });
  const operator = it.accessToken.token;
  shop.operator = operator;

  /** One mutation of the operator's. */
  shop.act = async (mutation, type, what, input) => {
    const document = `mutation ($input: ${type}!) { it: ${mutation}(input: $input) { ${what} { id } userErrors { code message } } }`;
    const { it: answer } = await shop.ask(document, { input }, operator);
    if (answer.userErrors.length > 0) throw new Error(`${mutation}: ${JSON.stringify(answer.userErrors)}`);
    return answer[what].id;
  };

  let products = 0;
  const product = (name, title, picture, amount) =>
    shop.act('productCreate', 'ProductCreateInput', 'product', {
      name,
      title,
      description: 'Dims to a candle, warms to a sunset.',
      imageUrl: `/pictures/${picture}.svg`,
      price: { amount, currencyCode: 'CNY' },
    });
  const session = (name, startsAt, lasts) =>
    shop.act('saleSessionCreate', 'SaleSessionCreateInput', 'session', {
      name,
      startsAt: new Date(startsAt).toISOString(),
      endsAt: new Date(startsAt + lasts).toISOString(),
    });
  /** A sale that opens in `opensIn` ms; without that its session has just begun. */
  shop.sale = async ({ opensIn = 0, lasts = 3_600_000, stock = 20, limit = 1, payWithin = 900, points = 100, name, returns = true } = {}) => {
    products += 1;
    const price = { amount: '79.00', currencyCode: 'CNY' };
    const productId = await product(name ?? `Halo lamp ${products}`, 'Daylight on a desk', 'lamp', '279.00');
    const startsAt = Date.now() + (opensIn || -JUST_MS);
    const sessionId = await session(`Session ${products}`, startsAt, lasts);
    const terms = { stock, limitPerBuyer: limit, payWithinSeconds: payWithin, pointsPrice: points, returnsOnRefund: returns };
    const id = await shop.act('saleCreate', 'SaleCreateInput', 'sale', { sessionId, productId, price, ...terms });
    await shop.act('salePublish', 'SalePublishInput', 'sale', { saleId: id });
    return { id, path: `/sales/${id}`, startsAt, endsAt: startsAt + lasts, sessionId };
  };

  /** One session with all of these: name, title, picture, price, price before, stock. */
  shop.session = async (goods, opensIn, lasts = 3_600_000) => {
    const startsAt = Date.now() + opensIn;
    const sessionId = await session('Today', startsAt, lasts);
    const sales = [];
    for (const [name, title, picture, amount, was, stock] of goods) {
      const productId = await product(name, title, picture, was);
      const input = { sessionId, productId, price: { amount, currencyCode: 'CNY' }, stock, limitPerBuyer: 1, payWithinSeconds: 900, pointsPrice: 790, returnsOnRefund: true };
      const id = await shop.act('saleCreate', 'SaleCreateInput', 'sale', input);
      await shop.act('salePublish', 'SalePublishInput', 'sale', { saleId: id });
      sales.push({ id, path: `/sales/${id}`, startsAt });
    }
    return sales;
  };

  /** So many sales in one session that is open. */
  shop.crowd = async (count) => {
    const productId = await product('Halo lamp', 'Daylight on a desk', 'lamp', '279.00');
    const startsAt = Date.now() - JUST_MS;
    const sessionId = await session('Many', startsAt, 3_600_000);
    const ids = [];
    for (let n = 0; n < count; n += 1) {
      const price = { amount: '79.00', currencyCode: 'CNY' };
      const id = await shop.act('saleCreate', 'SaleCreateInput', 'sale', { sessionId, productId, price, stock: 100, limitPerBuyer: 1, payWithinSeconds: 900 });
      await shop.act('salePublish', 'SalePublishInput', 'sale', { saleId: id });
      ids.push(id);
    }
    return { ids, sessionId };
  };
  shop.sessionOf = async (id) => (await shop.ask('query ($id: ID!) { sale(id: $id) { session { id } } }', { id })).sale.session.id;

  let staff = 0;
  /** The name of somebody new with this role. */
  shop.staff = async (role) => {
    staff += 1;
    const username = `${role.toLowerCase()}-${staff}`;
    await create(username, role);
    return username;
  };

  let shoppers = 0;
  /** Somebody new, by API. */
  shop.shopper = async () => {
    shoppers += 1;
    const username = `shopper-${shoppers}`;
    const input = { username, password: PASSWORD, displayName: `Grace ${shoppers}` };
    const signUp = 'mutation ($input: UserSignUpInput!) { it: userSignUp(input: $input) { accessToken { token } user { id } userErrors { code } } }';
    const { it: answer } = await shop.ask(signUp, { input });
    return { username, id: answer.user.id, name: input.displayName, token: answer.accessToken.token };
  };

  /** What the buyer sees of one order's money. */
  shop.money = async ({ token }, id) => {
    const query = 'query ($id: ID!) { order(id: $id) { status payments { status } refunds { status cause } } }';
    return (await shop.ask(query, { id }, token)).order;
  };
  shop.orders = async ({ token }) => (await shop.ask('{ viewer { orders(first: 50) { nodes { id status sale { id } } } } }', {}, token)).viewer.orders.nodes;
  shop.buy = async ({ token }, sale, quantity = 1) =>
    (
      await shop.ask(
        'mutation ($input: SalePurchaseInput!) { it: salePurchase(input: $input) { ticket { id } userErrors { code } } }',
        { input: { saleId: sale.id, quantity, idempotencyKey: `key-${Math.random().toString(36).slice(2)}` } },
        token,
      )
    ).it;
  return shop;
}
