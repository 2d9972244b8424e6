// Why something did not work, as the key of a text.
import { Fault } from '@kit/api';
import { loadViewer } from '../app';
import type { Messages } from '../messages';

export interface Trouble {
  key: keyof Messages & string;
  requestId?: string;
  seconds?: number;
}

/** `maybe`: it may have been done all the same. */
export function troubleOf(error: unknown, maybe: boolean): Trouble {
  if (!(error instanceof Fault)) throw error;
  const { code, requestId, retryAfterMs = 1000 } = error;
  if (code === 'NETWORK') return { key: maybe ? 'fault.NETWORK.maybe' : 'fault.NETWORK' };
  if (code === 'RATE_LIMITED') return { key: 'fault.RATE_LIMITED', seconds: Math.ceil(retryAfterMs / 1000) };
  if (code === 'UNAUTHENTICATED') void loadViewer();
  if (code === 'UNAVAILABLE' || code === 'UNAUTHENTICATED' || code === 'FORBIDDEN') {
    return { key: `fault.${code as 'UNAVAILABLE' | 'UNAUTHENTICATED' | 'FORBIDDEN'}` };
  }
  return { key: 'fault.other', requestId: requestId ?? '' };
}
