// npm `subscriptions-transport-ws`: the library of the older protocol, everything over one socket.
import { SubscriptionClient } from 'subscriptions-transport-ws'
import WebSocket from 'ws'

export const name = 'subscriptions-transport-ws'
export const transport = 'graphql-ws'

export function connect({ ws, token }) {
  const options = { reconnect: true, connectionParams: { authorization: `Bearer ${token}` } }
  const client = new SubscriptionClient(ws, options, WebSocket)
  const watch = (query, variables, next) =>
    new Promise((resolve, reject) => {
      const sink = ({ data, errors }) => (errors ? reject(new Error(JSON.stringify(errors))) : next(data))
      client.request({ query, variables }).subscribe({ next: sink, error: reject, complete: resolve })
    })
  const request = async (query, variables) => {
    let data
    await watch(query, variables, (next) => (data = next))
    return data
  }
  return { request, watch, close: () => client.close() }
}
