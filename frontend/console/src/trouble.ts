// Why something did not work, in words.
import type { Fault } from '@kit/api';
import type { Trouble } from './act';
import { maybe, t, type Key } from './i18n';

/** `doubt`: it may have been done all the same. */
export function saying({ code, requestId, retryAfterMs = 1000 }: Fault | Trouble, doubt: boolean): string {
  const params = { s: Math.ceil((retryAfterMs ?? 1000) / 1000), requestId: requestId ?? '–' };
  if (doubt) return t('fault.doubt', params);
  return maybe(`fault.${code}`, params) ?? t('fault.other' satisfies Key, params);
}

/** The text of a user error: our own, or else the server's. */
export const problemText = ({ code, message }: { code: string; message: string }): string => maybe(`code.${code}`, { message }) ?? message;
