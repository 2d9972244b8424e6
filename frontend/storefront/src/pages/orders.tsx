import { useComputed, useSignal } from '@preact/signals';
import Orders from '@documents/Orders.graphql';
import WatchMyOrders from '@documents/WatchMyOrders.graphql';
import { Fault } from '@kit/api';
import type { OrdersQuery } from '@kit/generated/operations';
import { IN_LINE_PX } from '@kit/pictures';
import { Button, Chip, Empty, Loading, Picture, Skeleton, type Tone } from '@kit/ui';
import { useEffect } from 'preact/hooks';
import { clock, f, live, onRefresh, second, send, tabs, viewer } from '../app';
import { t } from '../i18n';
import { Failed, Heading, SignInFirst, useTitle } from '../page';

type Order = NonNullable<OrdersQuery['viewer']>['orders']['nodes'][number];

const TONES: Record<Order['status'], Tone> = {
  AWAITING_PAYMENT: 'warn',
  PAID: 'ok',
  REFUNDING: 'info',
  REFUNDED: 'plain',
  CANCELLED: 'plain',
  EXPIRED: 'plain',
};

export const StatusChip = ({ status }: { status: Order['status'] }) => (
  <Chip tone={TONES[status]}>{t(`orders.status.${status}`)}</Chip>
);

export default function OrdersPage() {
  useTitle(t('orders.title'));
  if (viewer.value === null) return <SignInFirst title={t('orders.title')} />;
  return (
    <>
      <Heading>{t('orders.title')}</Heading>
      <List />
    </>
  );
}

function List() {
  const orders = useSignal<Order[] | undefined>(undefined);
  const fault = useSignal<Fault | undefined>(undefined);
  const after = useSignal<string | undefined>(undefined);
  const user = viewer.value?.user.id;

  const read = async (cursor?: string) => {
    try {
      const answer = (await send(Orders, { after: cursor ?? null })).viewer?.orders;
      orders.value = [...(cursor ? (orders.peek() ?? []) : []), ...(answer?.nodes ?? [])];
      after.value = (answer?.pageInfo.hasNextPage && answer.pageInfo.endCursor) || undefined;
      fault.value = undefined;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      fault.value = error;
    }
  };
  useEffect(() => {
    if (!user) return;
    // What changes after the subscription has begun is pushed; what was before is asked for.
    const stops = [
      live.watch(WatchMyOrders, () => ({}), {
        next({ viewerOrderUpdated: fresh }) {
          const held = orders.peek();
          if (!held?.some(({ id }) => id === fresh.id)) return void read();
          orders.value = held.map((one) => (one.id === fresh.id && one.version <= fresh.version ? { ...one, ...fresh } : one));
        },
      }),
      onRefresh(() => void read()),
      live.poll(() => void read()),
      tabs.listen(({ type }) => (type === 'order' || type === 'ticket') && void read()),
    ];
    void read();
    return () => stops.forEach((stop) => stop());
  }, [user]);

  if (!orders.value) {
    if (fault.value) return <Failed fault={fault.value} again={() => void read()} />;
    return (
      <Loading label={t('home.loading')} slow={t('home.slow')}>
        {[1, 2, 3].map((n) => (
          <Skeleton key={n} kind="order-shape" />
        ))}
      </Loading>
    );
  }
  if (orders.value.length === 0) {
    return (
      <Empty title={t('orders.empty')}>
        <Button href="/">{t('nav.sales')}</Button>
      </Empty>
    );
  }
  const more = after.value;
  return (
    <>
      <ul class="orders">
        {orders.value.map((order) => (
          <Row key={order.id} order={order} />
        ))}
      </ul>
      {more && (
        <div class="more">
          <Button onPress={() => void read(more)}>{t('orders.more')}</Button>
        </div>
      )}
    </>
  );
}

function Row({ order }: { order: Order }) {
  const left = useComputed(() => {
    void second.value;
    const ms = Date.parse(order.payBefore) - clock.now();
    return ms > 0 ? t('orders.left', { timer: f.value.countdown(ms) }) : '';
  });
  const waits = order.status === 'AWAITING_PAYMENT';
  return (
    <li>
      <a class="order-row" href={`/orders/${encodeURIComponent(order.id)}`}>
        <Picture src={order.sale.product?.imageUrl} image={order.sale.product?.image} size={IN_LINE_PX} lazy />
        <span class="order-what">
          <span class="order-name">
            <bdi>{order.productName}</bdi>
            <span class="order-units number"> × {f.value.number(order.quantity)}</span>
          </span>
          <span class="order-meta number">
            <bdi>{order.number}</bdi> · {f.value.moment(Date.parse(order.createdAt))}
          </span>
        </span>
        <span class="order-total number">{f.value.money(order.total)}</span>
        <span class="order-state">
          <StatusChip status={order.status} />
          {waits && <span class="order-left number">{left}</span>}
        </span>
        <span class={`button order-act ${waits ? 'primary' : 'secondary'}`} aria-hidden="true">
          {t(waits ? 'orders.pay' : 'orders.open')}
        </span>
      </a>
    </li>
  );
}
