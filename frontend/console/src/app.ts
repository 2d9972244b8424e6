// What the whole console shares: the shop's clock, who is signed in, the link to the server, what was done last.
import { computed, effect, signal } from '@preact/signals';
import ConsoleShop from '@documents/ConsoleShop.graphql';
import SignOut from '@documents/SignOut.graphql';
import Viewer from '@documents/ConsoleViewer.graphql';
import { createApi, Fault, type Send } from '@kit/api';
import { createClock } from '@kit/clock';
import type { ConsoleShopQuery, ConsoleViewerQuery } from '@kit/generated/operations';
import { formats, type Locale } from '@kit/i18n';
import { createLive } from '@kit/live';
import { createStore } from '@kit/storage';
import { createTabs } from '@kit/tabs';
import { BASE } from './addresses';
import { i18n, speak } from './i18n';

export type Viewer = NonNullable<ConsoleViewerQuery['viewer']>;

export const store = createStore();
export const clock = createClock();
export const tabs = createTabs();
const ask = createApi({ url: '/graphql', clock });
/** When the shop answered last. */
export const heardAt = signal<number | undefined>(undefined);
/** Whether the last question got an answer. */
export const reachable = signal(true);

/** Asks, and remembers whether there was an answer. */
const inquire: Send = async (doc, variables, options) => {
  try {
    const answer = await ask(doc, variables, options);
    if (!reachable.peek()) live.wake();
    reachable.value = true;
    return answer;
  } catch (error) {
    if (error instanceof Fault && error.unknown) reachable.value = false;
    // Signed out elsewhere, or an operator no longer.
    if (error instanceof Fault && (error.code === 'UNAUTHENTICATED' || error.code === 'FORBIDDEN') && doc.name !== Viewer.name) {
      void loadViewer();
    }
    throw error;
  }
};

export const send: Send = async (doc, variables, options) => {
  const answer = await inquire(doc, variables, options);
  heardAt.value = clock.now();
  return answer;
};

export const shop = signal<ConsoleShopQuery['shop'] | undefined>(undefined);
/** Whether an operator has stopped all sales. */
export const stopped = computed(() => shop.value?.status === 'PAUSED');
/** `undefined`: not known yet; null: nobody. */
export const viewer = signal<Viewer | null | undefined>(undefined);
/** A newer version of the page is served. */
export const outdated = signal(false);
/** Bumped at every full second of the shop's clock, and when the clock is set. */
export const second = signal(clock.now());

export interface Done {
  text: string;
  /** Where the entry in the audit log is. */
  href?: string | undefined;
}
/** What was done last on this page; it stays until something else is done. */
export const done = signal<Done | undefined>(undefined);

export const live = createLive({
  url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`,
  clock,
  onRefused: () => void loadViewer(),
  onBack: () => {
    void compareBuild();
    refresh();
  },
});

export const zone = computed(() => shop.value?.timeZone ?? 'UTC');
export const f = computed(() => formats(i18n.language.value.locale, shop.value?.timeZone));

const refreshers = new Set<() => void>();

/** What pages do to read their facts again. */
export function onRefresh(act: () => void): () => void {
  refreshers.add(act);
  return () => refreshers.delete(act);
}

export function refresh(): void {
  for (const act of refreshers) act();
  if (shop.peek()) void loadShop().catch(() => undefined);
}

const LATER_MS = 3_000;
const later = (act: () => Promise<void>) => setTimeout(() => void act().catch(() => later(act)), LATER_MS);

/** Not by `send`: the page's own facts do not get newer by it. */
async function loadShop(): Promise<void> {
  shop.value = (await inquire(ConsoleShop, {})).shop;
}

/** A sale was paused, or sells again: the whole shop may be. */
export function heardStatus(before: string | undefined, now: string): void {
  const was = before === undefined ? stopped.peek() : before === 'PAUSED';
  if (was !== (now === 'PAUSED')) void loadShop().catch(() => undefined);
}

function become(fresh: Viewer | null): void {
  const held = viewer.peek();
  viewer.value = fresh;
  if (held === undefined || held?.user.id === fresh?.user.id) return;
  // A socket is whose it was when it was opened.
  done.value = undefined;
  live.resume();
  refresh();
}

/** A new session comes as a cookie, which no script can read. */
export const COOKIE = { headers: { 'doorbuster-session': 'cookie' } };

let renewal: Promise<unknown> = Promise.resolve();

/** For a request whose answer brings this page a new session: the end of the old one may be heard before that answer. */
export function renewing<T>(request: Promise<T>): Promise<T> {
  renewal = request.catch(() => undefined);
  return request;
}

export async function loadViewer(): Promise<void> {
  await renewal;
  try {
    become((await send(Viewer, {})).viewer);
  } catch (error) {
    if (error instanceof Fault && error.code === 'UNAUTHENTICATED') become(null);
    else if (viewer.peek() === undefined) later(loadViewer);
  }
}

/** After a sign-in on this page. */
export async function signedIn(): Promise<void> {
  await loadViewer();
  tabs.tell({ type: 'session', user: viewer.peek()?.user.id ?? null });
  live.resume();
}

export async function signOut(): Promise<void> {
  await send(SignOut, {}).catch((error: unknown) => {
    if (!(error instanceof Fault && error.code === 'UNAUTHENTICATED')) throw error;
  });
  become(null);
  tabs.tell({ type: 'session', user: null });
}

export async function setLocale(locale: Locale, tell = true): Promise<void> {
  await insist(() => speak(locale));
  document.documentElement.lang = locale;
  if (!tell) return;
  store.set('db.locale', locale);
  tabs.tell({ type: 'locale', locale });
}

/** Whether the server has another version of this page than the one that runs. */
async function isOutdated(): Promise<boolean> {
  const mine = document.querySelector<HTMLMetaElement>('meta[name=build]')?.content;
  const text = await fetch(BASE, { headers: { accept: 'text/html' } }).then((answer) => answer.text()).catch(() => '');
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
      await compareBuild();
      await new Promise((resolve) => setTimeout(resolve, LATER_MS));
    }
  }
}

let timer: ReturnType<typeof setTimeout> | undefined;

function tick(): void {
  clearTimeout(timer);
  second.value = clock.now();
  if (document.visibilityState === 'hidden') return;
  timer = setTimeout(tick, 1000 - (((second.value % 1000) + 1000) % 1000));
}

export function startLife(): void {
  clock.subscribe(tick);
  tick();
  const comeBack = () => {
    clock.check();
    tick();
    live.wake();
    refresh();
  };
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && comeBack());
  addEventListener('pagehide', () => live.suspend());
  addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    clock.doubt();
    live.resume();
    void loadViewer();
    comeBack();
  });
  addEventListener('online', comeBack);
  tabs.listen((message) => {
    if (message.type === 'session' && message.user !== (viewer.peek()?.user.id ?? null)) void loadViewer();
    if (message.type === 'locale' && (message.locale === 'en' || message.locale === 'zh-CN')) void setLocale(message.locale, false);
    if (message.type === 'clock') clock.adopt(message.clock);
  });
  effect(() => {
    void second.value;
    if (clock.check()) refresh();
  });
}

/** How often the shop is asked whether it sells: another operator may have stopped it, and this page shows no sale that would say so. */
const SHOP_EVERY_MS = 5_000;

/** The first questions, at once. */
export function startFacts(): void {
  setInterval(() => {
    if (viewer.peek() && document.visibilityState === 'visible') void loadShop().catch(() => undefined);
  }, SHOP_EVERY_MS);
  void loadShop().catch(() => later(loadShop));
  void loadViewer();
}
