import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { type Client, createClient } from 'graphql-ws';
import { authorizationOf } from './carry';

export type ResultListener = (result: unknown) => void;

/** HTTP for queries and mutations, a WebSocket for subscriptions, both at /graphql. */
export function createFetcher(location: Location, onResult: ResultListener): Fetcher {
  const url = '/graphql';
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const socketFor = socketPerAuthorization(`${scheme}//${location.host}${url}`);
  return async (params, options) => {
    const fetch = createGraphiQLFetcher({
      url,
      wsClient: socketFor(authorizationOf(options?.headers)),
      enableIncrementalDelivery: false, // plain application/graphql-response+json
    });
    const result = await fetch(params, options);
    if (isStream(result)) return overheard(result, onResult);
    if (params.operationName !== 'IntrospectionQuery') onResult(result);
    return result;
  };
}

function isStream(result: unknown): result is AsyncIterable<unknown> {
  return typeof result === 'object' && result !== null && Symbol.asyncIterator in result;
}

/** The same results, each told of before it is shown. Not a generator: stopping one would wait for the next result. */
export function overheard<T>(stream: AsyncIterable<T>, onResult: ResultListener): AsyncIterableIterator<T> {
  const inner = stream[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const result = await inner.next();
      if (!result.done) onResult(result.value);
      return result;
    },
    async return() {
      await inner.return?.();
      return { done: true, value: undefined };
    },
  };
}

/** A socket tells who it is once, when it opens: another authorization means another socket. */
export function socketPerAuthorization(
  url: string,
  create: typeof createClient = createClient,
): (authorization: string | undefined) => Client {
  let current: { authorization: string | undefined; client: Client } | undefined;
  return (authorization) => {
    if (!current || current.authorization !== authorization) {
      void current?.client.dispose();
      const connectionParams = authorization === undefined ? {} : { authorization };
      current = { authorization, client: create({ url, lazy: true, connectionParams }) };
    }
    return current.client;
  };
}
