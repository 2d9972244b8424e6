// A shop as its operator and its buyers use it, over HTTP.

/** The id of a row in PostgreSQL, of one in the API. */
export const uuid = (id) => Buffer.from(id.slice(id.indexOf('_') + 1), 'base64url').toString('hex')

const PASSWORD = 'password123'

const TEXTS = {
  signIn: `mutation($u: String!, $p: String!) { userSignIn(input: { username: $u, password: $p }) { accessToken { token } } }`,
  signUp: `mutation($u: String!, $p: String!) { userSignUp(input: { username: $u, password: $p, displayName: "Buyer" }) {
    accessToken { token } userErrors { code } } }`,
  session: `mutation($a: DateTime!, $b: DateTime!) { saleSessionCreate(input: { name: "Ten", startsAt: $a, endsAt: $b }) { session { id } }
    productCreate(input: { name: "Lamp", price: { amount: "99.00" } }) { product { id } } }`,
  sale: `mutation($i: SaleCreateInput!) { saleCreate(input: $i) { sale { id } userErrors { code message } } }`,
  publish: `mutation($s: ID!) { salePublish(input: { saleId: $s }) { sale { id } userErrors { code } } }`,
  buy: `mutation($s: ID!, $k: String!) { salePurchase(input: { saleId: $s, idempotencyKey: $k, quantity: 1 }) {
    ticket { id } userErrors { code } } }`,
  ticket: `query($t: ID!) { purchaseTicket(id: $t) { status order { id status } } }`,
  pay: `mutation($o: ID!, $m: PaymentMethod!, $k: String!) { orderPay(input: { orderId: $o, method: $m, idempotencyKey: $k }) {
    payment { id status } redirectUrl userErrors { code message } } }`,
  refund: `mutation($o: ID!, $k: String!) { orderRefund(input: { orderId: $o, idempotencyKey: $k }) { userErrors { code message } } }`,
  order: `query($o: ID!) { order(id: $o) { status } }`,
  orders: `{ viewer { orders(first: 20) { nodes { id status } } } }`,
  differences: `{ billDifferences(first: 50) { nodes { id } } }`,
  closeDifference: `mutation($d: ID!) { billDifferenceClose(input: { differenceId: $d, reason: "a drill" }) { userErrors { code } } }`,
}

export class Shop {
  #session
  #keys = 0

  /** `url`: of a node. */
  constructor(url) {
    this.url = url
  }

  /** The whole answer. */
  async ask(token, query, variables = {}) {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
    const answer = await fetch(`${this.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
    return answer.json()
  }

  /** The data of an answer without errors. */
  async data(token, text, variables) {
    const { data, errors } = await this.ask(token, TEXTS[text], variables)
    if (errors) throw new Error(`${text}: ${JSON.stringify(errors)}`)
    return data
  }

  async signIn() {
    const data = await this.data(undefined, 'signIn', { u: 'operator', p: PASSWORD })
    this.operator = data.userSignIn.accessToken.token
  }

  /** The token of a new buyer. */
  async buyer(name) {
    const data = await this.data(undefined, 'signUp', { u: name, p: PASSWORD })
    return data.userSignUp.accessToken.token
  }

  /** A sale that is open. */
  async sale({ stock = 1_000, payWithinSeconds = 600 } = {}) {
    const at = (seconds) => new Date(Date.now() + seconds * 1_000).toISOString()
    this.#session ??= await this.data(this.operator, 'session', { a: at(-60), b: at(7_200) })
    const input = {
      sessionId: this.#session.saleSessionCreate.session.id,
      productId: this.#session.productCreate.product.id,
      price: { amount: '9.90' },
      pointsPrice: 10,
      limitPerBuyer: 1,
      stock,
      payWithinSeconds,
    }
    const { sale, userErrors } = (await this.data(this.operator, 'sale', { i: input })).saleCreate
    if (!sale) throw new Error(JSON.stringify(userErrors))
    await this.data(this.operator, 'publish', { s: sale.id })
    return sale
  }

  /** Buys: the ticket's id, or nothing. */
  async buy(buyer, sale, key = 'purchase-1') {
    const { data } = await this.ask(buyer, TEXTS.buy, { s: sale.id, k: `${key}-${sale.id}`.slice(-64) })
    return data?.salePurchase?.ticket?.id
  }

  /** The order of a ticket once it is decided; `undefined` before that, or if there is none. */
  async order(buyer, ticket) {
    return (await this.data(buyer, 'ticket', { t: ticket })).purchaseTicket.order ?? undefined
  }

  async status(buyer, order) {
    return (await this.data(buyer, 'order', { o: order })).order.status
  }

  /** What a mutation with a key of its own made. */
  async #made(buyer, text, field, variables) {
    const made = (await this.data(buyer, text, { ...variables, k: `${text}-${process.pid}-${this.#keys++}` }))[field]
    if (made.userErrors.length) throw new Error(`${text}: ${JSON.stringify(made.userErrors)}`)
    return made
  }

  /** Begins to pay: the address of the page, for Alipay. */
  pay = (buyer, order, method) => this.#made(buyer, 'pay', 'orderPay', { o: order, m: method })

  refund = (buyer, order) => this.#made(buyer, 'refund', 'orderRefund', { o: order })

  /** A query that needs the database. */
  orders = (buyer) => this.ask(buyer, TEXTS.orders)

  /** Closes all differences between the gateway's bills and the records. */
  async closeDifferences() {
    const { nodes } = (await this.data(this.operator, 'differences')).billDifferences
    for (const { id } of nodes) await this.data(this.operator, 'closeDifference', { d: id })
  }
}
