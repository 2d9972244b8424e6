// Orders: a list that is narrowed by number, buyer, sale and state.
import OrderSearch from '@documents/OrderSearch.graphql';
import type { OrderFilterInput, OrderSearchQuery, OrderStatus } from '@kit/generated/operations';
import { Button, Empty } from '@kit/ui';
import { useEffect } from 'preact/hooks';
import { orderAddress, to } from '../addresses';
import { f } from '../app';
import { t } from '../i18n';
import { find } from '../lookup';
import { searchOf } from '../order-search';
import { Heading, More, Show, useList } from '../page';
import { go, place } from '../router';
import { Filters } from '../ui/filters';
import { Table, type Column } from '../ui/table';
import { OrderChip } from './order';

type Order = OrderSearchQuery['orders']['nodes'][number];

const STATUSES: readonly OrderStatus[] = ['AWAITING_PAYMENT', 'PAID', 'REFUNDING', 'REFUNDED', 'CANCELLED', 'EXPIRED'];

export default function Orders() {
  const { query } = place.value;
  const search = searchOf(query.get('q'));
  const status = STATUSES.find((one) => one === query.get('status'));
  const words = search.kind === 'lookup' ? search.words : undefined;
  useEffect(() => {
    if (words) void find(words).then((id) => id && go(orderAddress(id)), () => undefined);
  }, [words]);
  const filter: OrderFilterInput = {
    number: search.kind === 'number' ? search.number : null,
    buyer: search.kind === 'buyer' ? search.buyer : null,
    saleId: query.get('sale'),
    statuses: status ? [status] : null,
  };
  return (
    <>
      <Heading title={t('nav.orders')} hint={t('orders.audited')} />
      <Filters
        label={t('nav.orders')}
        filters={[
          {
            name: 'q',
            label: t('orders.search'),
            hint: t('orders.search.hint'),
            error: search.kind === 'short' ? t('orders.short') : undefined,
          },
          {
            name: 'status',
            label: t('sale.state'),
            options: [['', t('filter.any')], ...STATUSES.map((one) => [one, t(`order.status.${one}`)] as const)],
          },
          { name: 'sale', label: t('orders.sale') },
        ]}
      />
      {search.kind === 'short' ? null : words ? <NotFound /> : <List filter={filter} />}
    </>
  );
}

const NotFound = () => (
  <Empty title={t('lookup.nothing')}>
    <Button href={to('money', { tab: 'lookup' })}>{t('money.lookup')}</Button>
  </Empty>
);

const columns = (): Column<Order>[] => [
  {
    id: 'number',
    title: t('order.number'),
    head: true,
    cell: ({ id, number }) => (
      <a class="sale-link" href={orderAddress(id)}>
        <bdi class="number">{number}</bdi>
      </a>
    ),
  },
  { id: 'state', title: t('sale.state'), cell: ({ status }) => <OrderChip status={status} /> },
  { id: 'buyer', title: t('order.buyer'), cell: ({ buyer }) => <bdi>{buyer?.username ?? '–'}</bdi> },
  {
    id: 'product',
    title: t('order.product'),
    cell: ({ productName, quantity }) => (
      <span>
        <bdi>{productName}</bdi> × <span class="number">{f.value.number(quantity)}</span>
      </span>
    ),
  },
  { id: 'total', title: t('order.total'), numeric: true, cell: ({ total }) => f.value.money(total) },
  { id: 'made', title: t('order.created'), cell: ({ createdAt }) => <span class="number">{f.value.moment(Date.parse(createdAt))}</span> },
];

function List({ filter }: { filter: OrderFilterInput }) {
  const list = useList(OrderSearch, { filter }, (data) => data.orders);
  return (
    <>
      <Show answer={list}>
        {(orders) =>
          orders.length === 0 ? <NotFound /> : <Table caption={t('nav.orders')} columns={columns()} rows={orders} id={({ id }) => id} />
        }
      </Show>
      <More list={list} />
    </>
  );
}
