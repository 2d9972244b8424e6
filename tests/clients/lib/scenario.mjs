// What every client does: ask for a sale, buy, watch the ticket to its end, and not notice that the server was killed.
import { inTime } from './server.mjs'

export const SALE = 'query Sale($id: ID!) { sale(id: $id) { id status stockRemaining } }'

export const PURCHASE = `mutation Purchase($input: SalePurchaseInput!) {
  salePurchase(input: $input) { ticket { id status } userErrors { code message } }
}`

export const TICKET = `subscription Ticket($id: ID!) {
  purchaseTicketUpdated(id: $id) { id status version order { id status } refusal { code } }
}`

export const ORDER = 'subscription Order($id: ID!) { orderUpdated(id: $id) { id status version } }'

export const CANCEL = `mutation Cancel($input: OrderCancelInput!) {
  orderCancel(input: $input) { order { id status } userErrors { code message } }
}`

const must = (condition, what, seen) => {
  if (!condition) throw new Error(`${what}: ${JSON.stringify(seen)}`)
}

// `client` has `request(document, variables)` for queries and mutations, resolving to the data, and
// `watch(document, variables, next)`, resolving when the stream has completed.
export async function scenario(client, { sale, key, restart, done }) {
  const found = await inTime('query', client.request(SALE, { id: sale }))
  must(found.sale?.id === sale && found.sale.status === 'OPEN', 'query', found)
  done('query')

  const { salePurchase } = await inTime(
    'purchase',
    client.request(PURCHASE, { input: { saleId: sale, idempotencyKey: key } }),
  )
  must(salePurchase.ticket && salePurchase.userErrors.length === 0, 'purchase', salePurchase)
  done('purchase')

  const tickets = []
  const ended = client.watch(TICKET, { id: salePurchase.ticket.id }, (data) => tickets.push(data.purchaseTicketUpdated))
  await inTime('watch', ended)
  const order = tickets.at(-1)?.order
  must(tickets.at(-1)?.status === 'CONFIRMED' && order?.status === 'AWAITING_PAYMENT', 'watch', tickets)
  done('watch')

  // The order's first picture, the same again from the server that came back, then the change.
  const orders = []
  const times = []
  const waiting = []
  const completed = client.watch(ORDER, { id: order.id }, (data) => {
    orders.push(data.orderUpdated)
    times.push(Date.now())
    waiting.splice(0).forEach((wake) => wake())
  })
  const pictures = async (count) => {
    while (orders.length < count) await Promise.race([new Promise((wake) => waiting.push(wake)), completed])
  }
  await inTime('first picture', pictures(1))
  const killed = Date.now()
  await restart()
  await inTime('picture after the restart', pictures(2))
  const { orderCancel } = await inTime('cancel', client.request(CANCEL, { input: { orderId: order.id } }))
  must(orderCancel.order?.status === 'CANCELLED', 'cancel', orderCancel)
  await inTime('end of the order', completed)
  const same = orders[1].status === 'AWAITING_PAYMENT' && orders[1].version === orders[0].version
  must(same && times[0] <= killed && times[1] > killed && orders.at(-1).status === 'CANCELLED', 'restart', orders)
  done('restart', times[1] - killed)
}
