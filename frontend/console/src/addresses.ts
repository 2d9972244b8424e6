// Which page an address shows.

export const BASE = '/console';

export type Route =
  | { page: 'now' }
  | { page: 'schedule' }
  | { page: 'sale'; id: string }
  | { page: 'report'; id: string }
  | { page: 'products' }
  | { page: 'orders' }
  | { page: 'order'; id: string }
  | { page: 'money' }
  | { page: 'users' }
  | { page: 'audit' }
  | { page: 'signIns' }
  | { page: 'failures' }
  | { page: 'nodes' }
  | { page: 'settings' }
  | { page: 'account' }
  | { page: 'missing' };

const PAGES: Record<string, Route> = {
  '': { page: 'now' },
  schedule: { page: 'schedule' },
  products: { page: 'products' },
  orders: { page: 'orders' },
  money: { page: 'money' },
  users: { page: 'users' },
  failures: { page: 'failures' },
  audit: { page: 'audit' },
  'sign-ins': { page: 'signIns' },
  nodes: { page: 'nodes' },
  settings: { page: 'settings' },
  account: { page: 'account' },
};

export function match(path: string): Route {
  const [base, first = '', second, ...rest] = path.replace(/^\/+|\/+$/g, '').split('/');
  if (`/${base}` !== BASE || rest.length > 0) return { page: 'missing' };
  if (second === undefined) return (Object.hasOwn(PAGES, first) ? PAGES[first] : undefined) ?? { page: 'missing' };
  let id: string;
  try {
    id = decodeURIComponent(second);
  } catch {
    return { page: 'missing' };
  }
  if (first === 'sales') return { page: 'sale', id };
  if (first === 'reports') return { page: 'report', id };
  if (first === 'orders') return { page: 'order', id };
  return { page: 'missing' };
}

/** The address of a page, with the given query parameters. */
export function to(path: string, query: Record<string, string | undefined> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const search = new URLSearchParams(given).toString();
  return `${BASE}${path && `/${path}`}${search && `?${search}`}`;
}

export const saleAddress = (id: string): string => to(`sales/${encodeURIComponent(id)}`);
export const reportAddress = (id: string): string => to(`reports/${encodeURIComponent(id)}`);
export const orderAddress = (id: string): string => to(`orders/${encodeURIComponent(id)}`);
