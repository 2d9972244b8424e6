// Links are plain links; clicks on own ones change the page without loading it anew.
import { signal } from '@preact/signals';
import { BASE, match, type Route } from './addresses';

export interface Place {
  route: Route;
  query: URLSearchParams;
  href: string;
}

const here = (): Place => ({
  route: match(location.pathname),
  query: new URLSearchParams(location.search),
  href: location.pathname + location.search,
});

export const place = signal<Place>(here());
/** How often the page was changed by a link, so that its heading takes the focus. */
export const moved = signal(0);

export function go(href: string): void {
  history.pushState(null, '', href);
  place.value = here();
  moved.value += 1;
  scrollTo(0, 0);
}

/** Filters belong to the address, so that it can be passed on; the page stays where it is. */
export function filter(change: Record<string, string | undefined>): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const search = query.toString();
  history.replaceState(null, '', location.pathname + (search && `?${search}`));
  place.value = here();
}

const isOwn = (path: string) => path === BASE || path.startsWith(`${BASE}/`);

/** `onLeave`: told when somebody goes to another page. */
export function startRouter(onLeave: () => void): void {
  addEventListener('popstate', () => {
    onLeave();
    place.value = here();
    moved.value += 1;
  });
  document.addEventListener('click', (event) => {
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || link.target || link.hasAttribute('download') || !isOwn(link.pathname)) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    onLeave();
    go(link.pathname + link.search + link.hash);
  });
}
