// The frame of every page: head, navigation, what was done last, the page; or the way in.
import { useComputed, useSignal } from '@preact/signals';
import { Announcer } from '@kit/ui/announce';
import { Button, Empty, Icon } from '@kit/ui';
import { Dialog } from '@kit/ui/form';
import type { FunctionComponent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { to, type Route } from './addresses';
import { clock, done, f, heardAt, insist, live, outdated, reachable, second, setLocale, shop, signOut, store, viewer, zone } from './app';
import { i18n, need, t, type Key } from './i18n';
import type { Part } from './messages';
import { Sign, type SignName } from './icons';
import { Heading } from './page';
import { isStaff, may, wanting } from './rights';
import { moved, place } from './router';
import { StopButton, StoppedBanner, TurnDialog } from './stop';
import { Forbidden, SignIn } from './way-in';

type Page = FunctionComponent<{ route: Route }>;
type Name = Route['page'];

/** A page and the texts that it alone says. */
const withTexts = async <P,>(part: Part, page: Promise<P>): Promise<P> => (await Promise.all([page, need(part)]))[0];

const sources: Record<Name, () => Promise<{ default: Page }>> = {
  now: () => import('./pages/now'),
  schedule: () => import('./pages/schedule'),
  sale: () => import('./pages/sale'),
  report: () => withTexts('report', import('./pages/report')),
  products: () => import('./pages/products'),
  orders: () => import('./pages/orders'),
  order: () => import('./pages/order'),
  money: () => import('./pages/money'),
  users: () => import('./pages/users'),
  failures: () => import('./pages/failures'),
  audit: () => import('./pages/audit'),
  signIns: () => import('./pages/sign-ins'),
  nodes: () => import('./pages/nodes'),
  settings: () => withTexts('settings', import('./pages/settings')),
  account: () => import('./pages/account'),
  missing: () => import('./pages/missing'),
};

/** In the order of the navigation; the first ones are in the bar of narrow screens. */
const NAV: readonly (readonly [page: Name & SignName, path: string, ...others: Name[]])[] = [
  ['now', ''],
  ['schedule', 'schedule', 'sale', 'report'],
  ['products', 'products'],
  ['orders', 'orders', 'order'],
  ['money', 'money'],
  ['users', 'users'],
  ['failures', 'failures'],
  ['audit', 'audit'],
  ['signIns', 'sign-ins'],
  ['nodes', 'nodes'],
  ['settings', 'settings'],
];
const IN_BAR = 5;

/** Pages for all of the staff; the others are for those who see the whole shop. */
const FOR_ALL: readonly Name[] = ['orders', 'order', 'money', 'users', 'signIns', 'account', 'missing'];
const isFor = (page: Name) => page === 'account' || page === 'missing' || may(FOR_ALL.includes(page) ? 'seeBuyers' : 'seeShop');

/** The page of an address as it is for this role: who can do nothing else yet sets up the second factor, and support begins with orders. */
function routed(): Route {
  const { route } = place.value;
  if (wanting()) return { page: 'account' };
  return route.page === 'now' && !isFor('now') ? { page: 'orders' } : route;
}

const loaded = new Map<Name, Page>();

function Shown() {
  const route = routed();
  const count = useSignal(0);
  void count.value;
  useEffect(() => {
    if (!loaded.has(route.page)) {
      void insist(sources[route.page]).then((module) => {
        loaded.set(route.page, module.default);
        count.value += 1;
      });
    }
  }, [route.page]);
  const Page = loaded.get(route.page);
  if (!isFor(route.page)) return <NotYours />;
  return Page ? <Page key={'id' in route ? route.id : route.page} route={route} /> : null;
}

function NotYours() {
  return (
    <>
      <Heading title={t('role.notYours')} />
      <Empty title={t('role.notYours.body')}>
        <Button href={to('orders')}>{t('nav.orders')}</Button>
      </Empty>
    </>
  );
}

const THEMES = ['auto', 'light', 'dark'] as const;

function Theme() {
  const theme = useSignal((document.documentElement.dataset.theme ?? 'auto') as (typeof THEMES)[number]);
  const next = () => {
    const chosen = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'auto';
    theme.value = chosen;
    if (chosen === 'auto') {
      delete document.documentElement.dataset.theme;
      store.remove('db.theme');
    } else {
      document.documentElement.dataset.theme = chosen;
      store.set('db.theme', chosen);
    }
  };
  return (
    <button class="icon-button" type="button" onClick={next} aria-label={t('shell.theme', { theme: t(`theme.${theme.value}`) })}>
      <Icon name={theme.value} />
    </button>
  );
}

function Language() {
  const other = i18n.language.value.locale === 'en' ? 'zh-CN' : 'en';
  return (
    <button
      class="icon-button language"
      type="button"
      lang={other}
      aria-label={t('shell.languageLabel')}
      onClick={() => void setLocale(other)}
    >
      {t('shell.language')}
    </button>
  );
}

const digitsOf = (error: number) => (error < 95 ? 2 : error < 950 ? 1 : 0);

function Clock() {
  const text = useComputed(() => f.value.time(second.value));
  const error = useComputed(() => {
    void second.value;
    const ms = clock.error();
    return ms === Infinity ? t('clock.unsure') : `±${f.value.seconds(Math.max(10, ms), digitsOf(ms))}`;
  });
  return (
    <span class="clock" title={t('clock.title', { zone: zone.value })}>
      <b class="number">{text}</b> <span class="hint number">{error}</span>{' '}
      <span class="hint wide-only">{f.value.zone(clock.now())}</span>
    </span>
  );
}

/** Whether what is shown comes by push, and if not, as of when it is. */
function LinkState() {
  const state = useComputed(() => {
    void second.value;
    const { state: link } = live.link.value;
    if (!reachable.value) return 'bad';
    if (link === 'idle') return 'idle';
    return link === 'live' ? 'live' : 'connecting';
  });
  const text = useComputed(() => {
    const at = heardAt.value;
    return t(`link.${state.value}` satisfies Key, { time: at === undefined ? '–' : f.value.time(at) });
  });
  const tone = { bad: 'bad', idle: 'plain', live: 'ok', connecting: 'warn' }[state.value];
  return (
    <span class={`link-state chip ${tone}`} data-state={state.value}>
      {text}
    </span>
  );
}

function Links({ entries }: { entries: typeof NAV }) {
  const { page } = place.value.route;
  return (
    <>
      {entries.map(([name, path, ...others]) => (
        <a key={name} href={to(path)} aria-current={page === name || others.includes(page) ? 'page' : undefined}>
          <Sign name={name} />
          <span>{t(`nav.${name}`)}</span>
        </a>
      ))}
    </>
  );
}

function Nav() {
  const open = useSignal(false);
  const mine = NAV.filter(([name]) => isFor(name));
  const rest = mine.slice(IN_BAR);
  useEffect(() => {
    open.value = false;
  }, [moved.value]);
  const current = rest.some(([name]) => name === place.value.route.page);
  if (mine.length === 0) return null;
  return (
    <nav class="nav" aria-label={t('nav.label')}>
      <Links entries={mine.slice(0, IN_BAR)} />
      <div class="nav-rest">
        <Links entries={rest} />
      </div>
      {rest.length > 0 && (
        <button
          class="nav-more"
          type="button"
          aria-haspopup="dialog"
          data-current={current ? '' : undefined}
          onClick={() => (open.value = true)}
        >
          <Icon name="menu" />
          <span>{t('nav.more')}</span>
        </button>
      )}
      {open.value && (
        <Dialog title={t('nav.more')} closeLabel={t('act.close')} onClose={() => (open.value = false)}>
          <div class="sheet">
            <Links entries={rest} />
          </div>
        </Dialog>
      )}
    </nav>
  );
}

function Head() {
  const who = viewer.value;
  const leaving = useSignal(false);
  const leave = async () => {
    leaving.value = true;
    await signOut().catch(() => undefined);
    leaving.value = false;
  };
  return (
    <header class="head">
      <a class="skip" href="#content">{t('shell.skip')}</a>
      <a class="brand" href={to('')}>
        <Mark />
        <span>
          <bdi class="brand-name">{shop.value?.name ?? t('shell.title')}</bdi>
          <span class="brand-host">{location.host}</span>
        </span>
      </a>
      <div class="head-facts">
        <Clock />
        {who && <LinkState />}
      </div>
      {may('stopShop') && (
        <div class="stop">
          <StopButton />
        </div>
      )}
      <div class="tools">
        <Language />
        <Theme />
        {who && (
          <>
            <span class="who">
              {isStaff() ? (
                <a href={to('account')}>
                  <bdi>{who.user.displayName}</bdi>
                </a>
              ) : (
                <bdi>{who.user.displayName}</bdi>
              )}
            </span>
            <Button kind="quiet" busy={leaving.value} onPress={() => void leave()}>
              {t('shell.signOut')}
            </Button>
          </>
        )}
      </div>
    </header>
  );
}

const Mark = () => (
  <svg class="mark" viewBox="0 0 64 64" width="28" height="28" aria-hidden="true" focusable="false">
    <rect width="64" height="64" rx="14" />
    <path d="M26 12h12M32 8v6M20 22c0-5 24-5 24 0v16c0 8-24 8-24 0zM20 30h24M27 47h10M32 48v9" />
  </svg>
);

/** Why there are no levers. */
function RoleNote() {
  const role = viewer.value?.user.role;
  if (wanting() || (role !== 'OBSERVER' && role !== 'SUPPORT')) return null;
  return <p class="note info role-note">{t(`role.note.${role}`)}</p>;
}

function Notes() {
  const last = done.value;
  return (
    <>
      <RoleNote />
      {outdated.value && (
        <p class="note info" role="status">
          {t('shell.outdated')}{' '}
          <Button kind="quiet" onPress={() => location.reload()}>
            {t('shell.reload')}
          </Button>
        </p>
      )}
      <div role="status" class="done-line">
        {last && (
          <p class="note ok">
            <Icon name="ok" /> <span>{last.text}</span> {last.href && may('seeShop') && <a href={last.href}>{t('act.audit')}</a>}
            <button class="icon-button" type="button" aria-label={t('act.dismiss')} onClick={() => (done.value = undefined)}>
              <Icon name="close" />
            </button>
          </p>
        )}
      </div>
    </>
  );
}

function Inside() {
  const who = viewer.value;
  if (who === undefined) return <p class="loading-words">{t('page.loading')}</p>;
  if (who === null) return <SignIn />;
  if (!isStaff()) return <Forbidden />;
  return (
    <>
      <StoppedBanner />
      <Notes />
      <Shown />
      <TurnDialog />
    </>
  );
}

export function Shell() {
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    if (moved.value === 0) return;
    // After a link the new page's heading is where reading goes on.
    const focus = () => main.current?.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
    const timer = setTimeout(focus, 50);
    return () => clearTimeout(timer);
  }, [moved.value]);
  const inside = isStaff();
  return (
    <div class="frame" data-inside={inside ? '' : undefined}>
      <Head />
      {inside && <Nav />}
      <main class="main" id="content" tabIndex={-1} ref={main}>
        <Inside />
      </main>
      <Announcer />
    </div>
  );
}
