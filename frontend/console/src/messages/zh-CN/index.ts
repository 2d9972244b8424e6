import type { Common } from '../en';
import account from './account';
import acts from './acts';
import codes from './codes';
import lists from './lists';
import pages from './pages';
import pulse from './pulse';
import shell from './shell';

const messages = { ...shell, ...account, ...acts, ...codes, ...lists, ...pages, ...pulse };

export default messages satisfies Common;
