// One question to the shop over HTTP, by the id of its document.
import type { Clock } from './clock';

/** A document as the build leaves it; `D` and `V` exist for the compiler only. */
export interface Doc<D = unknown, V = unknown> {
  id: string;
  name: string;
  kind: 'query' | 'mutation' | 'subscription';
  readonly data?: D;
  readonly variables?: V;
}

export type FaultCode =
  | 'NETWORK'
  | 'RATE_LIMITED'
  | 'UNAVAILABLE'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'BAD_USER_INPUT'
  | 'INTERNAL_SERVER_ERROR'
  | (string & {});

/** Why there is no answer. */
export class Fault extends Error {
  constructor(
    readonly code: FaultCode,
    message: string,
    /** The number under which the server's log has it. */
    readonly requestId: string | undefined = undefined,
    readonly retryAfterMs: number | undefined = undefined,
  ) {
    super(message);
    this.name = 'Fault';
  }

  /** Whether what was asked for may have been done all the same. */
  get unknown(): boolean {
    return this.code === 'NETWORK' || this.code === 'UNAVAILABLE' || this.code === 'INTERNAL_SERVER_ERROR';
  }
}

interface GraphQLError {
  message: string;
  path?: (string | number)[];
  extensions?: { code?: string; retryAfterSeconds?: number };
}

interface Answer<D> {
  data?: D | null;
  errors?: GraphQLError[];
}

export interface SendOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Goes on when the page is left. */
  keepalive?: boolean;
  headers?: Record<string, string>;
}

export interface ApiOptions {
  url: string;
  clock?: Clock;
  headers?: Record<string, string>;
  fetch?: typeof fetch;
}

/** One attempt's limit. */
const TIMEOUT_MS = 8_000;

export type Send = <D, V>(doc: Doc<D, V>, variables: V, options?: SendOptions) => Promise<D>;

const byStatus = (status: number): FaultCode => {
  if (status === 401) return 'UNAUTHENTICATED';
  if (status === 403) return 'FORBIDDEN';
  if (status === 429) return 'RATE_LIMITED';
  if (status >= 500 || status === 408) return 'UNAVAILABLE';
  return 'BAD_USER_INPUT';
};

export function createApi({ url, clock, headers, fetch: ask = (...args) => fetch(...args) }: ApiOptions): Send {
  return async <D, V>(doc: Doc<D, V>, variables: V, options: SendOptions = {}): Promise<D> => {
    const { timeoutMs = TIMEOUT_MS, signal, keepalive = false } = options;
    const limit = AbortSignal.timeout(timeoutMs);
    const sent = clock?.monotonic() ?? 0;
    let response: Response;
    let answer: Answer<D> | undefined;
    let received = sent;
    try {
      response = await ask(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/graphql-response+json, application/json',
          ...headers,
          ...options.headers,
        },
        body: JSON.stringify({ documentId: doc.id, variables }),
        credentials: 'same-origin',
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        keepalive,
      });
      received = clock?.monotonic() ?? 0;
      answer = await response.json().catch((error: unknown) => {
        if (response.ok || limit.aborted) throw error;
        return undefined;
      });
    } catch (error) {
      throw new Fault('NETWORK', String(error));
    }
    const requestId = response.headers.get('x-request-id') ?? undefined;
    // An error of a field further down leaves the rest of the answer useful.
    const blame = answer?.errors?.find(({ path }) => !answer.data || !path || path.length <= 1);
    if (blame || !answer?.data) {
      const seconds = blame?.extensions?.retryAfterSeconds ?? Number(response.headers.get('retry-after') ?? NaN);
      const code = blame?.extensions?.code ?? byStatus(response.status);
      throw new Fault(code, blame?.message ?? `HTTP ${response.status}`, requestId, seconds >= 0 ? seconds * 1000 : undefined);
    }
    const { serverTime } = answer.data as { serverTime?: string };
    if (clock && serverTime) clock.learn(Date.parse(serverTime), sent, received);
    return answer.data;
  };
}
