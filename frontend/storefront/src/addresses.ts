// Which page an address shows.

export type Route =
  | { page: 'home' }
  | { page: 'sale'; id: string }
  | { page: 'orders' }
  | { page: 'order'; id: string }
  | { page: 'points' }
  | { page: 'account' }
  | { page: 'signIn' }
  | { page: 'signUp' }
  | { page: 'help' }
  | { page: 'missing' };

export function match(path: string): Route {
  const [first = '', second, ...rest] = path.replace(/^\/+|\/+$/g, '').split('/');
  if (rest.length > 0) return { page: 'missing' };
  if (second !== undefined) {
    let id: string;
    try {
      id = decodeURIComponent(second);
    } catch {
      return { page: 'missing' };
    }
    if (first === 'sales') return { page: 'sale', id };
    if (first === 'orders') return { page: 'order', id };
    return { page: 'missing' };
  }
  const pages: Record<string, Route> = {
    '': { page: 'home' },
    orders: { page: 'orders' },
    points: { page: 'points' },
    account: { page: 'account' },
    'sign-in': { page: 'signIn' },
    'sign-up': { page: 'signUp' },
    help: { page: 'help' },
  };
  return (Object.hasOwn(pages, first) ? pages[first] : undefined) ?? { page: 'missing' };
}

/** A path of this shop that a query may lead to: begins with one slash. */
export const ownPath = (path: string | null): string =>
  path?.startsWith('/') && !/^\/[/\\]/.test(path) ? path : '/';
