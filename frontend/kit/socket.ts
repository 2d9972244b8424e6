// The socket itself, with all that the library needs to be told: loaded when something is watched, after the first drawing.
import { createClient, type Client } from 'graphql-ws';
import type { Clock } from './clock';

export type { Client };

export interface SocketOptions {
  url: string;
  clock: Clock;
  connectionParams: Record<string, unknown> | undefined;
  webSocketImpl: unknown;
  /** Resolves when the next attempt may be made, after `n` others. */
  retryWait(n: number): Promise<void>;
  connecting(): void;
  connected(again: boolean): void;
  closed(code: number): void;
}

const PING_MS = 25_000;
const ACK_MS = 5_000;
/** An empty socket is kept this long: pages follow each other. */
const LINGER_MS = 3_000;

export function connect({ url, clock, connectionParams, webSocketImpl, retryWait, ...tell }: SocketOptions): Client {
  let pings: ReturnType<typeof setInterval> | undefined;
  let pinged = 0;
  return createClient({
    url,
    lazy: true,
    lazyCloseTimeout: LINGER_MS,
    connectionAckWaitTimeout: ACK_MS,
    retryAttempts: Infinity,
    // Whatever became of the connection; a fault of the page itself would be tried again without end.
    shouldRetry: (reason) => !(reason instanceof Error),
    retryWait,
    ...(connectionParams && { connectionParams }),
    ...(webSocketImpl ? { webSocketImpl } : {}),
    on: {
      connecting: tell.connecting,
      connected(socket, _payload, wasRetry) {
        const ping = () => {
          pinged = clock.monotonic();
          (socket as WebSocket).send('{"type":"ping","payload":{"time":true}}');
        };
        ping();
        clearInterval(pings);
        pings = setInterval(ping, PING_MS);
        tell.connected(wasRetry);
      },
      pong(received, payload) {
        const time = (payload as { serverTime?: string } | undefined)?.serverTime;
        if (received && time) clock.learn(Date.parse(time), pinged, clock.monotonic());
      },
      closed(event) {
        clearInterval(pings);
        tell.closed(((event ?? {}) as { code?: number }).code ?? 1006);
      },
    },
  });
}
