// Pushes: one socket for the whole page, opened again for ever, and polling where there is none to be had.
import { signal, type Signal } from '@preact/signals';
import type { Doc } from './api';
import { backoff } from './backoff';
import type { Clock } from './clock';
import type { Client } from './socket';

export type LinkState =
  /** Nothing is watched. */
  | 'idle'
  | 'connecting'
  | 'live'
  /** The server said that it restarts. */
  | 'restarting'
  | 'lost'
  /** The server has no room for another socket. */
  | 'full';

export interface Link {
  state: LinkState;
  /** Since when, on the monotonic clock. */
  since: number;
  /** Nothing comes by push; the page asks every few seconds. */
  polling: boolean;
}

export interface Sink<D> {
  next(data: D): void;
  /** The server said everything there was to say. */
  done?(): void;
  /** The server refused; it is asked again later. */
  refused?(code: string): void;
}

export interface Live {
  watch<D, V>(doc: Doc<D, V>, variables: () => V, sink: Sink<D>): () => void;
  /** What is asked by HTTP while there is no socket. */
  poll(ask: () => void): () => void;
  /** Tries now what waits for its turn. */
  wake(): void;
  /** Closes the socket; what is watched stays noted. */
  suspend(): void;
  /** Opens another one for everything that is watched, as after a sign-in. */
  resume(): void;
  link: Signal<Link>;
}

export interface LiveOptions {
  url: string;
  clock: Clock;
  /** The server does not know who this is any more (4403). */
  onRefused?: () => void;
  /** A socket is open again after a break. */
  onBack?: () => void;
  connectionParams?: Record<string, unknown>;
  webSocketImpl?: unknown;
}

const RETRY_FIRST_MS = 250;
const RETRY_MOST_MS = 8_000;
/** A socket that was never had is tried once a minute; polling serves the page meanwhile. */
const HOPELESS_MS = 60_000;
const FAILURES = 3;
const POLL_MS = 5_000;
/** So long a restart may take before it is something else. */
const RESTART_MS = 30_000;

interface Watch {
  start(client: Client): () => void;
  stop: (() => void) | undefined;
}

export function createLive({ url, clock, onRefused, onBack, connectionParams, webSocketImpl }: LiveOptions): Live {
  const link = signal<Link>({ state: 'idle', since: clock.monotonic(), polling: false });
  const watches = new Set<Watch>();
  const polls = new Set<() => void>();
  let client: Client | undefined;
  let generation = 0;
  let opening = false;
  let failures = 0;
  let everOpen = false;
  let wakeUp: (() => void) | undefined;
  let pollTimer: ReturnType<typeof setTimeout> | undefined;

  const become = (state: LinkState) => {
    const polling = state !== 'live' && state !== 'idle' && failures >= FAILURES;
    const held = link.peek();
    if (held.state !== state || held.polling !== polling) {
      const since = held.state === state ? held.since : clock.monotonic();
      link.value = { state, since, polling };
    }
    if (polling) schedulePoll();
    else clearTimeout(pollTimer);
  };

  function schedulePoll() {
    clearTimeout(pollTimer);
    pollTimer = setTimeout(() => {
      for (const ask of polls) ask();
      schedulePoll();
    }, backoff(0, POLL_MS, POLL_MS, 0.2));
  }

  const wait = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function open(mine: number) {
    // The page is drawn before this is loaded.
    const { connect } = await import('./socket');
    if (mine !== generation) return;
    opening = false;
    client = connect({
      url,
      clock,
      connectionParams,
      webSocketImpl,
      retryWait(n) {
        const hopeless = failures >= FAILURES && !everOpen && link.peek().state !== 'restarting';
        return wait(hopeless ? HOPELESS_MS : backoff(n, RETRY_FIRST_MS, RETRY_MOST_MS, 0.5));
      },
      connecting: () => mine === generation && link.peek().state === 'idle' && become('connecting'),
      connected(wasRetry) {
        if (mine !== generation) return;
        failures = 0;
        const again = everOpen && wasRetry;
        everOpen = true;
        become('live');
        if (again) onBack?.();
      },
      closed(code) {
        if (mine !== generation) return;
        if (watches.size === 0) return become('idle');
        failures += 1;
        if (code === 4403) onRefused?.();
        const { state, since } = link.peek();
        // Who said that it restarts can't be reached for a while.
        const restarts = state === 'restarting' && clock.monotonic() - since < RESTART_MS;
        become(code === 1001 || code === 1012 || restarts ? 'restarting' : code === 1013 ? 'full' : 'lost');
      },
    });
    for (const watch of watches) watch.stop ??= watch.start(client);
  }

  function ensure() {
    if (client || opening || watches.size === 0) return;
    opening = true;
    generation += 1;
    const mine = generation;
    if (link.peek().state === 'idle') become('connecting');
    open(mine).catch(() => {
      if (mine === generation) opening = false;
      failures = FAILURES;
      become('lost');
    });
  }

  const live: Live = {
    link,
    watch(doc, variables, sink) {
      let ended = false;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let tries = 0;
      // Read anew for each attempt, so that a later one asks only for what is newer than what is held.
      const payload = {
        documentId: doc.id,
        get variables() {
          return variables();
        },
      };
      // The library insists on a text; the server takes the id alone. What can't be enumerated is not sent.
      Object.defineProperty(payload, 'query', { value: '' });
      const watch: Watch = {
        stop: undefined,
        start(on) {
          const again = () => {
            timer = setTimeout(() => {
              if (!ended && client) watch.stop = watch.start(client);
            }, backoff(tries++, 1_000, 30_000, 0.5));
          };
          return on.subscribe(payload as never, {
            next(result) {
              tries = 0;
              if (result.data) sink.next(result.data as never);
            },
            error(reason) {
              if (ended || on !== client) return;
              const [first] = Array.isArray(reason) ? (reason as { extensions?: { code?: string } }[]) : [];
              sink.refused?.(first?.extensions?.code ?? 'NETWORK');
              again();
            },
            complete() {
              if (ended || on !== client) return;
              ended = true;
              watches.delete(watch);
              sink.done?.();
            },
          });
        },
      };
      watches.add(watch);
      if (client) watch.stop = watch.start(client);
      else ensure();
      return () => {
        ended = true;
        clearTimeout(timer);
        watches.delete(watch);
        watch.stop?.();
      };
    },
    poll(ask) {
      polls.add(ask);
      return () => polls.delete(ask);
    },
    wake() {
      failures = 0;
      wakeUp?.();
    },
    suspend() {
      generation += 1;
      opening = false;
      const held = client;
      client = undefined;
      for (const watch of watches) {
        watch.stop?.();
        watch.stop = undefined;
      }
      wakeUp?.();
      // A connection that was just being opened is refused: nobody waits for it any more.
      Promise.resolve(held?.dispose()).catch(() => undefined);
      failures = 0;
      become('idle');
    },
    resume() {
      live.suspend();
      ensure();
    },
  };
  return live;
}
