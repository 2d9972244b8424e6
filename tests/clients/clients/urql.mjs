// npm `@urql/core`: HTTP for queries and mutations, `graphql-ws` for subscriptions.
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'

export const name = 'urql'
export const transport = 'HTTP + WebSocket'

export function connect({ http, ws, token }) {
  const socket = createClient({
    url: ws,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 50,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
    shouldRetry: () => true,
  })
  const forwardSubscription = ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
  })
  const client = new Client({
    url: http,
    preferGetMethod: 'within-url-limit',
    fetchOptions: { headers: { authorization: `Bearer ${token}` } },
    exchanges: [cacheExchange, fetchExchange, subscriptionExchange({ forwardSubscription })],
  })
  const request = async (text, variables) => {
    const result = text.startsWith('mutation')
      ? await client.mutation(text, variables).toPromise()
      : await client.query(text, variables).toPromise()
    if (result.error) throw result.error
    return result.data
  }
  const watch = (text, variables, next) =>
    new Promise((resolve, reject) => {
      // urql's streams end without a word to `subscribe`: the wonka observer is told.
      let ended = false
      client.subscription(text, variables)((signal) => {
        if (signal === 0) {
          ended = true
          resolve()
        } else if (signal.tag === 0) signal[0](0)
        else if (signal[0].error) reject(signal[0].error)
        else if (!ended) next(signal[0].data)
      })
    })
  return { request, watch, close: () => socket.dispose() }
}
