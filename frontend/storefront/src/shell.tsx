// The frame of every page: header, banner, the page, footer, and the dialog that asks to sign in.
import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { Announcer } from '@kit/ui/announce';
import { Icon } from '@kit/ui';
import type { FunctionComponent } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { asking, clock, f, insist, setLocale, shop, signOut, store, viewer } from './app';
import { Banner } from './banner';
import { i18n, need, t } from './i18n';
import type { Part } from './messages';
import Home from './pages/home';
import { moved, place, type Route } from './router';

type Page = FunctionComponent<{ route: Route }>;
type Name = Route['page'] | 'signInDialog';

interface Source {
  parts: Part[];
  load: () => Promise<{ default: Page }>;
}

const sources: Record<Name, Source> = {
  // The page that most people see first is part of the first file.
  home: { parts: [], load: async () => ({ default: Home }) },
  sale: {
    parts: ['sale'],
    load: () => {
      // Fetched beside the page, drawn after it.
      import('./purchase').catch(() => undefined);
      return import('./pages/sale');
    },
  },
  orders: { parts: ['rest'], load: () => import('./pages/orders') },
  order: { parts: ['sale', 'buy', 'order', 'rest'], load: () => import('./pages/order') },
  points: { parts: ['rest', 'sale'], load: () => import('./pages/points') },
  account: { parts: ['rest'], load: () => import('./pages/account') },
  signIn: { parts: ['rest'], load: () => import('./pages/sign-in') },
  signUp: { parts: ['rest'], load: () => import('./pages/sign-in') },
  help: { parts: ['rest'], load: () => import('./pages/help') },
  missing: { parts: ['rest'], load: () => import('./pages/missing') },
  signInDialog: { parts: ['rest'], load: () => import('./pages/sign-in-dialog') },
};

const loaded = new Map<Name, Page>();

/** A page's code and texts. */
export async function fetchPage(name: Name): Promise<void> {
  const { parts, load } = sources[name];
  const [module] = await insist(() => Promise.all([load(), need(...parts)]));
  loaded.set(name, module.default);
}

function Later({ of, route }: { of: Name; route: Route }) {
  const count = useSignal(0);
  const Page = loaded.get(of);
  useEffect(() => {
    if (!loaded.has(of)) void fetchPage(of).then(() => (count.value += 1));
  }, [of]);
  void count.value;
  return Page ? <Page route={route} /> : null;
}

function Shown() {
  const { route } = place.value;
  return <Later key={route.page} of={route.page} route={route} />;
}

const THEMES = ['auto', 'light', 'dark'] as const;

function Theme() {
  const theme = useSignal(document.documentElement.dataset.theme ?? 'auto');
  const next = () => {
    const to = THEMES[(THEMES.indexOf(theme.value as 'auto') + 1) % THEMES.length] ?? 'auto';
    theme.value = to;
    if (to === 'auto') {
      delete document.documentElement.dataset.theme;
      store.remove('db.theme');
    } else {
      document.documentElement.dataset.theme = to;
      store.set('db.theme', to);
    }
  };
  const now = theme.value as (typeof THEMES)[number];
  return (
    <button class="icon-button" type="button" onClick={next} aria-label={t('nav.theme', { theme: t(`theme.${now}`) })}>
      <Icon name={now} />
    </button>
  );
}

function Links() {
  const { page } = place.value.route;
  const current = (...pages: Route['page'][]) => (pages.includes(page) ? 'page' : undefined);
  const who = viewer.value;
  const next = encodeURIComponent(place.value.href);
  return (
    <>
      <a href="/" aria-current={current('home', 'sale')}>{t('nav.sales')}</a>
      {who && (
        <>
          <a href="/orders" aria-current={current('orders', 'order')}>{t('nav.orders')}</a>
          <a href="/points" aria-current={current('points')}>
            {t('nav.points')} <bdi class="number">{f.value.number(who.points.balance)}</bdi>
          </a>
          <a href="/account" class="nav-name" aria-current={current('account')}>
            <bdi>{who.user.displayName}</bdi>
          </a>
          <button type="button" class="nav-out" onClick={() => void signOut()}>
            {t('account.signOut')}
          </button>
        </>
      )}
      {who === null && (
        <a href={page === 'signIn' || page === 'signUp' ? place.value.href : `/sign-in?next=${next}`} aria-current={current('signIn')}>
          {t('nav.signIn')}
        </a>
      )}
    </>
  );
}

function Header() {
  const open = useSignal(false);
  // A page that was gone to closes the menu.
  useSignalEffect(() => {
    void moved.value;
    open.value = false;
  });
  const locale = i18n.language.value.locale;
  return (
    <header class="header">
      <a class="skip" href="#content">{t('nav.skip')}</a>
      <div class="header-in">
        <a class="brand" href="/">
          <Lantern />
          <bdi>{shop.value?.name ?? t('shop.title')}</bdi>
        </a>
        <nav class="nav" aria-label={t('nav.label')} data-open={open.value ? '' : undefined}>
          <Links />
        </nav>
        <div class="tools">
          <button
            class="icon-button language"
            type="button"
            lang={locale === 'en' ? 'zh-CN' : 'en'}
            aria-label={t('nav.languageLabel')}
            onClick={() => void setLocale(locale === 'en' ? 'zh-CN' : 'en')}
          >
            {t('nav.language')}
          </button>
          <Theme />
          <button
            class="icon-button menu-button"
            type="button"
            aria-expanded={open.value ? 'true' : 'false'}
            aria-label={t('nav.menu')}
            onClick={() => (open.value = !open.value)}
          >
            <Icon name={open.value ? 'close' : 'menu'} />
          </button>
        </div>
      </div>
    </header>
  );
}

const Lantern = () => (
  <svg class="lantern" viewBox="0 0 64 64" width="28" height="28" aria-hidden="true" focusable="false">
    <rect width="64" height="64" rx="14" />
    <path d="M26 12h12M32 8v6M20 22c0-5 24-5 24 0v16c0 8-24 8-24 0zM20 30h24M27 47h10M32 48v9" />
  </svg>
);

function Footer() {
  const zone = useComputed(() => f.value.zone(clock.now()));
  const support = shop.value?.supportUrl;
  return (
    <footer class="footer">
      <div class="footer-in">
        <a href="/help">{t('nav.help')}</a>
        <a href="/help#sale">{t('footer.how')}</a>
        <a href="/help#refunds">{t('footer.refunds')}</a>
        <a href="/help#api">{t('footer.api')}</a>
        {support && <a href={support}>{t('footer.support')}</a>}
        <span class="footer-zone">{t('footer.zone', { zone: zone.value })}</span>
      </div>
    </footer>
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
  return (
    <>
      <Header />
      <Banner />
      <main class="main" id="content" tabIndex={-1} ref={main}>
        <Shown />
      </main>
      <Footer />
      {asking.value && <Later of="signInDialog" route={place.value.route} />}
      <Announcer />
    </>
  );
}

