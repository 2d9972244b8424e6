// One of a crowd: what `src/app.ts` is to a page, for somebody who has none.
import { signal } from '@preact/signals';
import { createApi } from '@kit/api';
import { createClock } from '@kit/clock';
import { createLive } from '@kit/live';
import { createStore } from '@kit/storage';
import type { Tabs } from '@kit/tabs';
import { createSaleModel } from '../../src/machine/sale';

interface Member {
  base: string;
  shopper: { id: string; name: string; username: string; token: string };
  sale: string;
  WebSocket: unknown;
}

const { base, shopper, sale, WebSocket } = (globalThis as unknown as { crowdMember: Member }).crowdMember;
const headers = { authorization: `Bearer ${shopper.token}` };

export const store = createStore(() => {
  throw new Error('no storage');
});
export const clock = createClock();
export const tabs: Tabs = { tell: () => undefined, listen: () => () => undefined, close: () => undefined };
export const send = createApi({ url: `${base}/graphql`, clock, headers });
export const live = createLive({
  url: `${base.replace('http', 'ws')}/graphql`,
  clock,
  connectionParams: headers,
  webSocketImpl: WebSocket,
});
export const viewer = signal({
  signedInUntil: '',
  user: { id: shopper.id, username: shopper.username, displayName: shopper.name, role: 'BUYER' },
  points: { balance: 0, reserved: 0 },
});
export const shop = signal(undefined);
export const signedOut = signal(false);
export const signIns = signal(0);
export const online = signal(true);
export const asking = signal(undefined);
export const keepsLink = signal(false);
export const second = signal(clock.now());
export const loadViewer = async () => undefined;
export const heardStatus = () => undefined;
export const onRefresh = () => () => undefined;

const SECOND_MS = 250;

export async function join() {
  const model = createSaleModel(sale);
  const ticking = setInterval(() => (second.value = clock.now()), SECOND_MS);
  return {
    state: () => model.view.value.state,
    /** Presses at the opening, once, by the shop's clock. */
    async presses(startsAt: number) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, startsAt - clock.now())));
      model.buy();
    },
    leave() {
      clearInterval(ticking);
      model.dispose();
      live.suspend();
    },
  };
}
