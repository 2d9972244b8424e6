// Money: what waits for a person, all payments and refunds, differences to the gateway's bills, the records, points.
import { useSignal } from '@preact/signals';
import BillDifferences from '@documents/BillDifferences.graphql';
import StuckPayments from '@documents/StuckPayments.graphql';
import type { StuckPaymentsQuery } from '@kit/generated/operations';
import { Button, Chip, Empty, Tabs } from '@kit/ui';
import { orderAddress } from '../addresses';
import { f } from '../app';
import { Books } from '../books';
import { t, type Key } from '../i18n';
import { DifferenceBook, DifferenceClose, PointsForm, type Difference } from '../money-acts';
import { LIST_FILTERS, PaymentList, RefundList } from '../money-lists';
import { Heading, More, Show, useList } from '../page';
import { For, may } from '../rights';
import { filter, place } from '../router';
import { Table, type Column } from '../ui/table';
import { amountOf, PAYMENT_TONES } from './order';
import { Lookup } from '../lookup';

const TABS = ['waiting', 'payments', 'refunds', 'bills', 'books', 'lookup'] as const;
const NO_FILTERS = Object.fromEntries(LIST_FILTERS.map((name) => [name, undefined]));
type Tab = (typeof TABS)[number];

export default function Money() {
  const asked = place.value.query.get('tab');
  const tabs = TABS.filter((one) => may('seeShop') || (one !== 'bills' && one !== 'books'));
  const tab: Tab = tabs.find((one) => one === asked) ?? 'waiting';
  const granting = useSignal(false);
  return (
    <>
      <Heading title={t('nav.money')} hint={t('orders.audited')}>
        <For right="grantPoints">
          <Button onPress={() => (granting.value = true)}>{t('points.title')}</Button>
        </For>
      </Heading>
      <Tabs
        label={t('nav.money')}
        panel="money"
        chosen={tab}
        onChoose={(one) => filter({ ...NO_FILTERS, tab: one === 'waiting' ? undefined : one })}
        tabs={tabs.map((id) => ({ id, label: t(`money.${id}` satisfies Key) }))}
      />
      <div id="money" role="tabpanel" aria-labelledby={`tab-${tab}`} class="day">
        {tab === 'waiting' && <Waiting />}
        {tab === 'payments' && <PaymentList />}
        {tab === 'refunds' && <RefundList />}
        {tab === 'bills' && <Bills />}
        {tab === 'books' && <Books />}
        {tab === 'lookup' && <Lookup />}
      </div>
      {granting.value && <PointsForm onClose={() => (granting.value = false)} />}
    </>
  );
}

type Payment = StuckPaymentsQuery['stuckPayments']['payments'][number];
type Refund = StuckPaymentsQuery['stuckPayments']['refunds'][number];

const moment = (at: string | null) => (at ? f.value.moment(Date.parse(at)) : '–');

function Waiting() {
  // One page has a part of both lists.
  const pages = useList(StuckPayments, {}, ({ stuckPayments }) => ({ nodes: [stuckPayments], pageInfo: stuckPayments.pageInfo }));
  const payments: Column<Payment>[] = [
    {
      id: 'number',
      title: t('payment.number'),
      head: true,
      cell: ({ number, orderId }) => (
        <a href={orderAddress(orderId)}>
          <bdi class="number">{number}</bdi>
        </a>
      ),
    },
    {
      id: 'state',
      title: t('sale.state'),
      cell: ({ flag, payment }) => (
        <>
          <Chip tone={PAYMENT_TONES[payment.status]}>{t(`payment.status.${payment.status}`)}</Chip> {flag && <Chip tone="bad">{t(`flag.${flag}`)}</Chip>}
        </>
      ),
    },
    { id: 'amount', title: t('payment.amount'), numeric: true, cell: ({ payment }) => amountOf(payment) },
    { id: 'received', title: t('payment.received'), numeric: true, cell: ({ received }) => (received ? f.value.money(received) : '–') },
    { id: 'created', title: t('payment.created'), cell: ({ payment }) => moment(payment.createdAt) },
    { id: 'next', title: t('payment.next'), cell: ({ nextCheckAt }) => moment(nextCheckAt) },
  ];
  const refunds: Column<Refund>[] = [
    {
      id: 'number',
      title: t('refund.number'),
      head: true,
      cell: ({ number, orderId }) => (
        <a href={orderAddress(orderId)}>
          <bdi class="number">{number}</bdi>
        </a>
      ),
    },
    { id: 'state', title: t('sale.state'), cell: ({ refund }) => <Chip tone="warn">{t(`refund.status.${refund.status}`)}</Chip> },
    { id: 'amount', title: t('payment.amount'), numeric: true, cell: ({ refund }) => amountOf(refund) },
    { id: 'attempts', title: t('refund.attempts'), numeric: true, cell: ({ attempts }) => f.value.number(attempts) },
    { id: 'code', title: t('refund.lastCode'), cell: ({ lastCode }) => <bdi>{lastCode ?? '–'}</bdi> },
    { id: 'next', title: t('refund.next'), cell: ({ nextTryAt }) => moment(nextTryAt) },
  ];
  return (
    <>
      <Show answer={pages}>
        {(all) => {
          const [stuckPayments, stuckRefunds] = [all.flatMap((one) => one.payments), all.flatMap((one) => one.refunds)];
          if (stuckPayments.length + stuckRefunds.length === 0) return <Empty title={t('money.nothing')} />;
          return (
            <>
              {stuckPayments.length > 0 && (
                <section>
                  <h2>{t('order.payments')}</h2>
                  <Table caption={t('order.payments')} columns={payments} rows={stuckPayments} id={({ number }) => number} />
                </section>
              )}
              {stuckRefunds.length > 0 && (
                <section>
                  <h2>{t('order.refunds')}</h2>
                  <Table caption={t('order.refunds')} columns={refunds} rows={stuckRefunds} id={({ number }) => number} />
                </section>
              )}
            </>
          );
        }}
      </Show>
      <More list={pages} />
    </>
  );
}

function Bills() {
  const open = place.value.query.get('all') === null;
  const list = useList(BillDifferences, { open }, (data) => data.billDifferences);
  const acting = useSignal<{ wish: 'book' | 'close'; difference: Difference } | undefined>(undefined);
  const columns: Column<Difference>[] = [
    { id: 'number', title: t('bill.number'), head: true, cell: ({ number }) => <bdi class="number">{number}</bdi> },
    { id: 'day', title: t('bill.day'), cell: ({ day }) => <span class="number">{day}</span> },
    { id: 'kind', title: t('bill.kind'), cell: ({ kind }) => <Chip tone="warn">{t(`bill.kind.${kind}`)}</Chip> },
    { id: 'ours', title: t('bill.ours'), cell: ({ ours }) => ours },
    { id: 'theirs', title: t('bill.theirs'), cell: ({ theirs }) => theirs },
    { id: 'state', title: t('sale.state'), cell: (one) => <DifferenceState difference={one} /> },
    {
      id: 'acts',
      title: t('act.acts'),
      cell: (one) =>
        !one.closedAt &&
        !one.resolvedAt &&
        may('keepBooks') && (
          <span class="acts">
            {one.refundOfPayment && (
              <Button label={`${t('bill.book.button')}: ${one.number}`} onPress={() => (acting.value = { wish: 'book', difference: one })}>
                {t('bill.book.short')}
              </Button>
            )}
            <Button label={`${t('bill.close.button')}: ${one.number}`} onPress={() => (acting.value = { wish: 'close', difference: one })}>
              {t('bill.close.short')}
            </Button>
          </span>
        ),
    },
  ];
  return (
    <>
      <label class="switch">
        <input type="checkbox" checked={!open} onChange={(event) => filter({ all: event.currentTarget.checked ? '1' : undefined })} />
        {t('bill.all')}
      </label>
      <Show answer={list}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title={t('bill.nothing')} />
          ) : (
            <Table caption={t('money.bills')} columns={columns} rows={rows} id={({ id }) => id} />
          )
        }
      </Show>
      <More list={list} />
      {acting.value?.wish === 'book' && <DifferenceBook difference={acting.value.difference} onClose={() => (acting.value = undefined)} />}
      {acting.value?.wish === 'close' && <DifferenceClose difference={acting.value.difference} onClose={() => (acting.value = undefined)} />}
    </>
  );
}

function DifferenceState({ difference: { closedAt, closedBy, closeReason, resolvedAt } }: { difference: Difference }) {
  if (closedAt) {
    return (
      <>
        <Chip>{t('bill.closed')}</Chip>
        <span class="hint block">
          {moment(closedAt)} · {closedBy?.username ?? '–'} · {closeReason}
        </span>
      </>
    );
  }
  if (resolvedAt) return <Chip tone="ok">{t('bill.resolved')}</Chip>;
  return <Chip tone="warn">{t('bill.open')}</Chip>;
}
