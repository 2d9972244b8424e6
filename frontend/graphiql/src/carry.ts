/**
 * What one tab's answer means for the others: a token goes into every tab's headers, the ids of
 * the first open sale, of a new ticket and of its order go into variables that have a place for them.
 */
import { freshKey } from './tabs';

type Json = Record<string, unknown>;

export interface TabContent {
  variables?: string | null | undefined;
  headers?: string | null | undefined;
}

/** The facts worth carrying that an answer contains. */
export interface Found {
  token?: string;
  /** Ids of the listed sales. */
  saleIds?: string[];
  /** The one to offer: the first open one, else the first. */
  saleId?: string;
  ticketId?: string;
  orderId?: string;
}

export function find(result: unknown): Found {
  const data = object(object(result)?.data);
  const found: Found = {};
  for (const value of Object.values(data ?? {})) {
    const payload = object(value);
    const token = object(payload?.accessToken)?.token;
    if (typeof token === 'string') found.token = token;
    const ticketId = object(payload?.ticket)?.id;
    if (typeof ticketId === 'string') found.ticketId = ticketId;
    const orderId = object(payload?.order)?.id;
    if (typeof orderId === 'string') found.orderId = orderId;
  }
  const nodes = object(data?.sales)?.nodes;
  if (Array.isArray(nodes)) {
    const sales = nodes.map(object).filter((sale) => typeof sale?.id === 'string');
    found.saleIds = sales.map((sale) => sale?.id as string);
    const offered = sales.find((sale) => sale?.status === 'OPEN') ?? sales[0];
    if (offered) found.saleId = offered.id as string;
  }
  return found;
}

/** The tab with what was found filled in, or the very same object when nothing changes. */
export function fill<T extends TabContent>(tab: T, found: Found): T {
  const headers = found.token === undefined ? tab.headers : withToken(tab.headers, found.token);
  const variables = withIds(tab.variables, found);
  return headers === tab.headers && variables === tab.variables
    ? tab
    : { ...tab, headers, variables };
}

function withToken(headers: string | null | undefined, token: string): string | null | undefined {
  const present = parse(headers);
  if (!present) return headers; // being edited: leave it alone
  const rest = Object.fromEntries(
    Object.entries(present).filter(([name]) => name.toLowerCase() !== 'authorization'),
  );
  return JSON.stringify({ ...rest, authorization: `Bearer ${token}` }, null, 2);
}

function withIds(variables: string | null | undefined, found: Found): string | null | undefined {
  const present = parse(variables);
  if (!present) return variables;
  const next = { ...present };
  const { ticketId, saleId, saleIds, orderId } = found;
  const listed = (id: unknown) => saleIds?.includes(id as string) ?? false;
  if (ticketId !== undefined && 'ticketId' in present) next.ticketId = ticketId;
  if (orderId !== undefined) {
    if ('orderId' in present) next.orderId = orderId;
    const pay = object(present.pay);
    if (pay && 'orderId' in pay && pay.orderId !== orderId) {
      next.pay = { ...pay, orderId, idempotencyKey: freshKey() };
    }
  }
  if (saleId !== undefined) {
    if (Array.isArray(present.saleIds) && !present.saleIds.some(listed)) next.saleIds = [saleId];
    const input = object(present.input);
    if (input && 'saleId' in input && !listed(input.saleId)) {
      next.input = { ...input, saleId, idempotencyKey: freshKey() };
    }
  }
  const text = JSON.stringify(next, null, 2);
  return text === JSON.stringify(present, null, 2) ? variables : text;
}

/** The authorization of a Headers editor's text, whatever the case of its name. */
export function authorizationOf(headers: unknown): string | undefined {
  const entry = Object.entries(object(headers) ?? {}).find(
    ([name, value]) => name.toLowerCase() === 'authorization' && typeof value === 'string',
  );
  return entry?.[1] as string | undefined;
}

function parse(text: string | null | undefined): Json | undefined {
  if (!text?.trim()) return {};
  try {
    return object(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function object(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : undefined;
}
