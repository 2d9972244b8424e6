// npm `graphql-ws`: everything over one socket.
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'

export const name = 'graphql-ws'
export const transport = 'WebSocket'

export function connect({ ws, token }) {
  const client = createClient({
    url: ws,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 50,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
    shouldRetry: () => true, // the library gives up where the server was killed before it ever answered
  })
  const watch = (query, variables, next) =>
    new Promise((resolve, reject) => {
      const sink = ({ data, errors }) => (errors ? reject(new Error(JSON.stringify(errors))) : next(data))
      client.subscribe({ query, variables }, { next: sink, error: reject, complete: resolve })
    })
  const request = async (query, variables) => {
    let data
    await watch(query, variables, (next) => (data = next))
    return data
  }
  return { request, watch, close: () => client.dispose() }
}
