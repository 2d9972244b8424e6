import { render } from 'preact';
import '@kit/css/tokens.css';
import '@kit/css/base.css';
import '@kit/css/ui.css';
import './console.css';
import './parts.css';
import { pickLocale } from '@kit/i18n';
import { done, setLocale, startFacts, startLife, store } from './app';
import { startRouter } from './router';
import { Shell } from './shell';

// No `await` at the top: pages import this file's chunk, and would wait for it while it waits for them.
async function start(root: HTMLElement): Promise<void> {
  startFacts();
  startRouter(() => (done.value = undefined));
  startLife();
  await setLocale(pickLocale(store.get('db.locale'), navigator.languages), false);
  render(<Shell />, root);
}

const root = document.getElementById('console');
if (root) void start(root);
