import account from './account';
import acts from './acts';
import codes from './codes';
import lists from './lists';
import pages from './pages';
import pulse from './pulse';
import type report from './report';
import type settings from './settings';
import shell from './shell';

const messages = { ...shell, ...account, ...acts, ...codes, ...lists, ...pages, ...pulse };
export type Common = typeof messages;
export type Messages = Common & typeof report & typeof settings;
export default messages;
