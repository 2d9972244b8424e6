// Links are plain links; clicks on own ones change the page without loading it anew.
import { signal } from '@preact/signals';
import { match, type Route } from './addresses';

export { ownPath, type Route } from './addresses';

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
/** Whether the page was changed by a link, so that its heading takes the focus. */
export const moved = signal(0);

export function go(href: string, replace = false): void {
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  place.value = here();
  moved.value += 1;
  const hash = new URL(href, location.href).hash;
  if (!replace && !hash) scrollTo(0, 0);
}

/** Served by the same binary, but no page of the shop. */
const FOREIGN = /^\/(graphiql|graphql|console|pictures|payments|assets)(\/|$)/;

export function startRouter(): void {
  addEventListener('popstate', () => {
    place.value = here();
    moved.value += 1;
  });
  document.addEventListener('click', (event) => {
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || link.target || link.hasAttribute('download')) return;
    if (FOREIGN.test(link.pathname)) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    go(link.pathname + link.search + link.hash);
  });
}
