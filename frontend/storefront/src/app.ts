// What the whole page shares: the shop's clock, who is signed in, the link to the server.
import { computed, effect, signal } from '@preact/signals';
import Home from '@documents/Home.graphql';
import Shop from '@documents/Shop.graphql';
import SignOut from '@documents/SignOut.graphql';
import Viewer from '@documents/Viewer.graphql';
import { createApi, Fault, type Send } from '@kit/api';
import { createClock } from '@kit/clock';
import type { HomeQuery, ShopQuery, ViewerQuery } from '@kit/generated/operations';
import { formats } from '@kit/i18n';
import { createLive } from '@kit/live';
import { createStore } from '@kit/storage';
import { createTabs } from '@kit/tabs';
import { i18n, speak } from './i18n';

export type Viewer = NonNullable<ViewerQuery['viewer']>;

export const store = createStore();
export const clock = createClock();
export const tabs = createTabs();
const ask = createApi({ url: '/graphql', clock });
/** When the shop answered last: what is shown is as of then, if nothing is pushed. */
export const heardAt = signal(clock.now());
let reachable = true;
export const send: Send = async (doc, variables, options) => {
  try {
    const answer = await ask(doc, variables, options);
    heardAt.value = clock.now();
    // The shop is back: a socket may be had again as well.
    if (!reachable) live.wake();
    reachable = true;
    return answer;
  } catch (error) {
    if (error instanceof Fault && error.unknown) reachable = false;
    throw error;
  }
};
export const shop = signal<ShopQuery['shop'] | undefined>(undefined);
/** `undefined`: not known yet; null: nobody. */
export const viewer = signal<Viewer | null | undefined>(undefined);
/** Somebody was signed in on this page, and is not any more, without having asked for it here. */
export const signedOut = signal(false);
export const online = signal(navigator.onLine);
/** A newer version of the page is served. */
export const outdated = signal(false);
/** Bumped at every full second of the shop's clock, and when the clock is set. */
export const second = signal(clock.now());
export const asking = signal<{ reason: 'buy' | 'again' } | undefined>(undefined);

export const live = createLive({
  url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`,
  clock,
  onRefused: () => void loadViewer(),
  onBack: () => {
    void compareBuild();
    refresh();
  },
});

export const f = computed(() => formats(i18n.language.value.locale, shop.value?.timeZone));

/** What pages do to read their facts again. */
const refreshers = new Set<() => void>();
let refreshedAt = clock.monotonic();

export function onRefresh(act: () => void): () => void {
  refreshers.add(act);
  return () => refreshers.delete(act);
}

export function refresh(): void {
  refreshedAt = clock.monotonic();
  for (const act of refreshers) act();
  // It may have been stopped, or sell again, while nobody heard of it here.
  if (shop.peek()) void loadShop().catch(() => undefined);
}

export async function loadShop(): Promise<void> {
  shop.value = (await send(Shop, {})).shop;
}

/** Clients ask within this time, so that not all of them do in one moment. */
const SPREAD_MS = 1_000;
let shopTimer: ReturnType<typeof setTimeout> | undefined;

/** The same for news that are no reason to hurry. */
const SLOW_SPREAD_MS = 10_000;
let hurried = false;

/** What was pushed about a sale, and what was before it. Where a sale is paused, or sells again, the whole shop may be. */
export function heardStatus(before: string | undefined, now: string): void {
  const stopped = shop.peek()?.status === 'PAUSED';
  const was = before === undefined ? stopped : before === 'PAUSED';
  const turned = was !== (now === 'PAUSED');
  // When sales resume, also report a sale that stays paused on its own.
  const stays = stopped && now === 'PAUSED';
  if ((!turned && !stays) || (shopTimer && (hurried || !turned))) return;
  clearTimeout(shopTimer);
  hurried = turned;
  const ask = () => {
    shopTimer = undefined;
    void loadShop().catch(() => retryLater(loadShop));
  };
  shopTimer = setTimeout(ask, Math.random() * (turned ? SPREAD_MS : SLOW_SPREAD_MS));
}

function become(fresh: Viewer | null): void {
  const held = viewer.peek();
  const changed = (held?.user.id ?? null) !== (fresh?.user.id ?? null);
  viewer.value = fresh;
  if (held === undefined || !changed) return;
  signedOut.value = Boolean(held) && !fresh;
  // A socket is whose it was when it was opened.
  live.resume();
  refresh();
}

export async function loadViewer(): Promise<void> {
  try {
    become((await send(Viewer, {})).viewer);
  } catch (error) {
    // A cookie that is nobody's any more.
    if (error instanceof Fault && error.code === 'UNAUTHENTICATED') become(null);
    else if (viewer.peek() === undefined) retryLater(loadViewer);
  }
}

const LATER_MS = 3_000;
const retryLater = (act: () => Promise<void>) => setTimeout(() => void act().catch(() => retryLater(act)), LATER_MS);

/** How often somebody has signed in on this page. */
export const signIns = signal(0);

/** After a sign-in on this page. */
export async function signedIn(): Promise<void> {
  const held = viewer.peek();
  await loadViewer();
  signedOut.value = false;
  const id = viewer.peek()?.user.id ?? null;
  tabs.tell({ type: 'session', user: id });
  if (held?.user.id === id) {
    live.resume();
    refresh();
  }
  signIns.value += 1;
}

export async function signOut(): Promise<void> {
  await send(SignOut, {}).catch((error: unknown) => {
    // Signed out already, here or elsewhere.
    if (!(error instanceof Fault && error.code === 'UNAUTHENTICATED')) throw error;
  });
  leave();
}

/** Nobody is signed in any more, and that was wanted. */
export function leave(): void {
  become(null);
  signedOut.value = false;
  tabs.tell({ type: 'session', user: null });
}

export async function setLocale(locale: 'en' | 'zh-CN', tell = true): Promise<void> {
  await speak(locale);
  document.documentElement.lang = locale;
  document.documentElement.dir = 'ltr';
  if (!tell) return;
  store.set('db.locale', locale);
  tabs.tell({ type: 'locale', locale });
}

/** Whether the server has another version of this page than the one that runs. */
async function isOutdated(): Promise<boolean> {
  const mine = document.querySelector<HTMLMetaElement>('meta[name=build]')?.content;
  const text = await fetch('/', { headers: { accept: 'text/html' } }).then((answer) => answer.text()).catch(() => '');
  const theirs = /<meta name="build" content="([^"]+)"/.exec(text)?.[1];
  return Boolean(mine && theirs && mine !== theirs);
}

async function compareBuild(): Promise<void> {
  if (await isOutdated()) outdated.value = true;
}

/** Loads a part of the page, until it is there. Files of an older build are gone once the server was updated. */
export async function insist<T>(load: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await load();
    } catch {
      if (await isOutdated()) {
        reloadOnce();
        return new Promise(() => undefined);
      }
      await new Promise((resolve) => setTimeout(resolve, LATER_MS));
    }
  }
}

/** Loads the page anew, once: a fault that stays does not load it for ever. */
function reloadOnce(): void {
  try {
    const mark = 'db.reloaded';
    if (sessionStorage.getItem(mark) !== location.href) {
      sessionStorage.setItem(mark, location.href);
      return location.reload();
    }
  } catch {
    // Without a mark it could go on for ever: a button is offered instead.
  }
  outdated.value = true;
}

let secondTimer: ReturnType<typeof setTimeout> | undefined;

function tick(): void {
  clearTimeout(secondTimer);
  second.value = clock.now();
  if (document.visibilityState === 'hidden') return;
  const ms = 1000 - (((second.value % 1000) + 1000) % 1000);
  secondTimer = setTimeout(tick, ms);
}

/** Facts older than this are read again when the page is looked at. */
const STALE_MS = 10_000;
/** List pages let go of their socket when nobody looks at them for so long. */
const HIDDEN_MS = 60_000;
/** A page that waits for something of the buyer's own keeps its socket. */
export const keepsLink = signal(false);

export function startLife(): void {
  clock.subscribe(tick);
  clock.subscribe(() => {
    const shared = clock.share();
    if (shared && shared.error < 1000) tabs.tell({ type: 'clock', clock: shared });
  });
  tick();
  let suspended = false;
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  const suspend = () => {
    suspended = true;
    live.suspend();
  };
  const comeBack = (force: boolean) => {
    clearTimeout(hiddenTimer);
    clock.check();
    tick();
    if (suspended) live.resume();
    suspended = false;
    live.wake();
    if (force || clock.monotonic() - refreshedAt > STALE_MS || clock.error() === Infinity) refresh();
  };
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') return comeBack(false);
    clearTimeout(hiddenTimer);
    hiddenTimer = setTimeout(() => !keepsLink.peek() && suspend(), HIDDEN_MS);
  });
  addEventListener('pagehide', suspend);
  addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    clock.doubt();
    void loadViewer();
    comeBack(true);
  });
  addEventListener('online', () => {
    online.value = true;
    live.wake();
    refresh();
  });
  addEventListener('offline', () => (online.value = false));
  tabs.listen((message) => {
    if (message.type === 'session' && message.user !== (viewer.peek()?.user.id ?? null)) void loadViewer();
    if (message.type === 'locale' && (message.locale === 'en' || message.locale === 'zh-CN')) void setLocale(message.locale, false);
    if (message.type === 'clock') clock.adopt(message.clock);
  });
  effect(() => {
    // The clock is looked at each second; a device that slept or was set is not trusted further.
    void second.value;
    if (clock.check()) refresh();
  });
}

const DAY_MS = 86_400_000;
const DAYS = 6;

/** The last day whose sessions are listed. */
export const lastDay = () => f.peek().date(clock.now() + DAYS * DAY_MS);

let home: Promise<HomeQuery> | undefined;

/** The response to the query that was sent when the page opened. The first reader takes it. */
export function takeHome(): Promise<HomeQuery> | undefined {
  const held = home;
  home = undefined;
  return held;
}

/** The first questions, at once; the page with the sales needs no other. */
export function startFacts(atHome: boolean): void {
  const apart = () => {
    void loadShop().catch(() => retryLater(loadShop));
    void loadViewer();
  };
  if (!atHome) return apart();
  home = send(Home, { until: lastDay() });
  home.then((answer) => {
    shop.value = answer.shop;
    become(answer.viewer);
    // Such as a day that does not exist, by a device whose clock is years wrong.
  }, apart);
}
