import { render } from 'preact';
import '@kit/css/tokens.css';
import '@kit/css/base.css';
import '@kit/css/ui.css';
import './shop.css';
import { setLocale, startFacts, startLife, store } from './app';
import { pickLocale } from '@kit/i18n';
import { place, startRouter } from './router';
import { fetchPage, Shell } from './shell';

const root = document.getElementById('shop');
startFacts();
startRouter();
startLife();
const locale = setLocale(pickLocale(store.get('db.locale'), navigator.languages), false);
await Promise.all([fetchPage(place.peek().route.page), locale]);
if (root) render(<Shell />, root);
