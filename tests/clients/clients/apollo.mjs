// npm `@apollo/client`: HTTP for queries and mutations, `graphql-ws` for subscriptions, a normalised cache.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { OperationTypeNode } from 'graphql'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'

export const name = '@apollo/client'
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
  const link = ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    new HttpLink({ uri: http, headers: { authorization: `Bearer ${token}` } }),
  )
  const client = new ApolloClient({ link, cache: new InMemoryCache() })
  const request = async (text, variables) => {
    const document = gql(text)
    const isMutation = document.definitions[0].operation === 'mutation'
    const { data, error } = isMutation
      ? await client.mutate({ mutation: document, variables })
      : await client.query({ query: document, variables, fetchPolicy: 'network-only' })
    if (error) throw error
    return data
  }
  const watch = (text, variables, next) =>
    new Promise((resolve, reject) => {
      client.subscribe({ query: gql(text), variables, fetchPolicy: 'no-cache' }).subscribe({
        next: ({ data, error }) => (error ? reject(error) : next(data)),
        error: reject,
        complete: resolve,
      })
    })
  return { request, watch, close: () => (client.stop(), socket.dispose()) }
}
