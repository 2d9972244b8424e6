// npm `graphql-sse`, distinct connections mode: one request, one stream.
import { createClient } from 'graphql-sse'

export const name = 'graphql-sse'
export const transport = 'SSE'

export function connect({ http, token }) {
  const client = createClient({
    url: http,
    headers: { authorization: `Bearer ${token}` },
    retryAttempts: 50,
    retry: () => new Promise((resolve) => setTimeout(resolve, 100)),
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
