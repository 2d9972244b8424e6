import './theme';
import { render } from 'preact';
import '@kit/css/tokens.css';
import '@kit/css/base.css';
import '@kit/css/ui.css';
import './shop.css';
import { setLocale, startFacts, startLife, store } from './app';
import { pickLocale } from '@kit/i18n';
import { place, startRouter } from './router';
import { fetchPage, Shell } from './shell';

// No `await` at the top: pages import this file's chunk, and would wait for it while it waits for them.
async function start(root: HTMLElement): Promise<void> {
  startFacts(place.peek().route.page === 'home');
  startRouter();
  startLife();
  const locale = setLocale(pickLocale(store.get('db.locale'), navigator.languages), false);
  await Promise.all([fetchPage(place.peek().route.page), locale]);
  render(<Shell />, root);
}

const root = document.getElementById('shop');
if (root) void start(root);
