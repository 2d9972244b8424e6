import account from './account';
import acts from './acts';
import codes from './codes';
import lists from './lists';
import pages from './pages';
import pulse from './pulse';
import report from './report';
import settings from './settings';
import shell from './shell';

const messages = { ...shell, ...account, ...acts, ...codes, ...lists, ...pages, ...pulse, ...report, ...settings };
export type Messages = typeof messages;
export default messages;
