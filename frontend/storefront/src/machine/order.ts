// One order: what it is, as far as it was heard of. What is done with it is in acts.ts, which is loaded when there is an order.
import { computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import OrderDoc from '@documents/Order.graphql';
import WatchOrder from '@documents/WatchOrder.graphql';
import { Fault } from '@kit/api';
import { newer } from '@kit/store';
import { clock, live, loadViewer, send, shop, store, tabs, viewer } from '../app';
import type { Order, Paying } from './facts';
import type { Trouble } from './trouble';

export type Act = 'pay' | 'cancel' | 'refund';

export interface OrderModel {
  order: Signal<Order | undefined>;
  paying: Signal<Paying | undefined>;
  returnedAt: Signal<number | undefined>;
  otherwise: Signal<boolean>;
  trouble: Signal<Trouble | undefined>;
  busy: Signal<Act | undefined>;
  can: ReadonlySignal<{ cancel: boolean; alipay: boolean; points: boolean; refund: boolean }>;
  /** Takes what was heard of the order; what is older is dropped. */
  hear(fresh: Partial<Order> & Pick<Order, 'id' | 'version' | 'status'>): void;
  read(): Promise<void>;
  /** The page is back from where it sent the browser. */
  back(): void;
  dispose(): void;
}

export const payKey = (id: string, method: string) => `db.pay.${id}.${method}`;
export const refundKey = (id: string) => `db.refund.${id}`;

export const isFinal = ({ status }: Order) => status === 'CANCELLED' || status === 'EXPIRED' || status === 'REFUNDED';

export function createOrderModel(): OrderModel {
  const order = signal<Order | undefined>(undefined);
  const paying = signal<Paying | undefined>(undefined);
  const returnedAt = signal<number | undefined>(undefined);
  const otherwise = signal(false);

  const can = computed(() => {
    const held = order.value;
    const actions = held?.availableActions ?? [];
    const methods = shop.value?.paymentMethods;
    const open = held?.status === 'AWAITING_PAYMENT';
    return {
      cancel: open && actions.includes('CANCEL'),
      alipay: open && actions.includes('PAY_ALIPAY') && (methods?.includes('ALIPAY') ?? true),
      points: open && actions.includes('PAY_POINTS') && (methods?.includes('POINTS') ?? true),
      refund: held?.status === 'PAID' && actions.includes('REFUND'),
    };
  });

  const watched = computed(() => (order.value && !isFinal(order.value) ? order.value.id : undefined));
  const stops = [
    effect(() => {
      const id = watched.value;
      if (!id) return;
      return live.watch(WatchOrder, () => ({ id, afterVersion: order.peek()?.version ?? null }), {
        next: ({ orderUpdated }) => model.hear(orderUpdated),
        refused: () => void model.read(),
      });
    }),
    live.poll(() => {
      if (watched.peek()) void model.read();
    }),
  ];

  const model: OrderModel = {
    order,
    paying,
    returnedAt,
    otherwise,
    trouble: signal(undefined),
    busy: signal(undefined),
    can,
    hear(fresh) {
      const held = order.peek();
      if (held && held.id !== fresh.id) {
        order.value = fresh as Order;
        paying.value = undefined;
        return;
      }
      const whole = { ...held, ...fresh } as Order;
      if (newer(held, whole) !== whole) return;
      order.value = whole;
      const user = viewer.peek()?.user.id;
      if (held && held.version !== whole.version) {
        otherwise.value = false;
        if (user) tabs.tell({ type: 'order', user, order: whole.id, version: whole.version });
      }
      if (whole.status === 'AWAITING_PAYMENT') return;
      paying.value = undefined;
      for (const method of ['ALIPAY', 'POINTS']) store.remove(payKey(whole.id, method));
      if (whole.status === 'REFUNDED') store.remove(refundKey(whole.id));
      // The balance of points may be another one.
      if (held && held.status !== whole.status) void loadViewer();
    },
    async read() {
      const id = order.peek()?.id;
      if (!id) return;
      try {
        const { order: fresh } = await send(OrderDoc, { id });
        if (fresh && order.peek()?.id === id) model.hear(fresh);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
      }
    },
    back() {
      if (paying.peek()?.method === 'ALIPAY') {
        paying.value = undefined;
        returnedAt.value = clock.now();
      }
      void model.read();
    },
    dispose() {
      for (const stop of stops) stop();
    },
  };
  return model;
}
