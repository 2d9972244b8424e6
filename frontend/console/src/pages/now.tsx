// The shop at this moment: its numbers second by second, the sales that run with their live stock, and what waits for a person.
import type { ReadonlySignal } from '@preact/signals';
import BillDifferences from '@documents/BillDifferences.graphql';
import ConsoleSales from '@documents/ConsoleSales.graphql';
import FailureCount from '@documents/FailureCount.graphql';
import SaleSessions from '@documents/SaleSessions.graphql';
import StuckPayments from '@documents/StuckPayments.graphql';
import { Button, Empty, Icon } from '@kit/ui';
import { to } from '../addresses';
import { clock, f, second, send } from '../app';
import { t } from '../i18n';
import { Heading, Show, useAnswer } from '../page';
import { PulseStrip, saleCells, usePulse, type Watched } from '../pulse-strip';
import { Free, numbersOf, SaleActs, SaleChip, SaleLink, useStock, type Sale, type Stock } from '../sales';
import { Table, type Column } from '../ui/table';

const EVERY_MS = 15_000;
const SOON_MS = 3_600_000;

export default function Now() {
  const sales = useAnswer(
    async () => {
      const { sales: found } = await send(ConsoleSales, { statuses: ['OPEN', 'SOLD_OUT', 'PAUSED', 'UPCOMING'] });
      // What opens soon is looked at before it does.
      const soon = ({ status, startsAt }: Sale) => status !== 'UPCOMING' || Date.parse(startsAt) < clock.now() + SOON_MS;
      const nodes = found.nodes.filter(soon);
      return { nodes, more: found.pageInfo.hasNextPage && nodes.length === found.nodes.length };
    },
    'now',
    EVERY_MS,
  );
  const stocks = useStock(sales.value?.nodes.map(({ id }) => id) ?? []);
  const watched = usePulse();
  return (
    <>
      <Heading title={t('now.title')} hint={t('now.hint')} />
      <PulseStrip watched={watched} />
      <Waiting />
      <Show answer={sales}>
        {({ nodes: list, more }) =>
          list.length === 0 ? (
            <Empty title={t('now.none')}>
              <Next />
            </Empty>
          ) : (
            <>
              <Totals sales={list} stocks={stocks} />
              <section class="now-sales">
                <h2>{t('now.sales')}</h2>
                <SalesTable sales={list} stocks={stocks} watched={watched} />
                {more && <p class="note info">{t('now.more', { n: list.length })}</p>}
                <p class="hint">{t('now.goneNote')}</p>
              </section>
            </>
          )
        }
      </Show>
    </>
  );
}

function Next() {
  const answer = useAnswer(async () => {
    const today = f.peek().date(clock.now());
    const { saleSessions } = await send(SaleSessions, { on: today, until: null });
    return saleSessions.nodes.find(({ status }) => status === 'UPCOMING') ?? null;
  }, 'next');
  const next = answer.value;
  return (
    <>
      {next && (
        <p>
          {t('now.next', { time: f.value.minute(Date.parse(next.startsAt)), name: next.name ?? t('session.unnamed') })}
        </p>
      )}
      <Button href={to('schedule')}>{t('nav.schedule')}</Button>
    </>
  );
}

interface Shown {
  sales: readonly Sale[];
  stocks: ReadonlySignal<ReadonlyMap<string, Stock>>;
}

function Totals({ sales, stocks }: Shown) {
  const all = sales.map((sale) => numbersOf(sale, stocks.value.get(sale.id)));
  const sum = (pick: (one: (typeof all)[number]) => number) => f.value.number(all.reduce((total, one) => total + pick(one), 0));
  const count = (status: Sale['status']) => f.value.number(all.filter((one) => one.status === status).length);
  const tiles: [string, string, string][] = [
    ['open', t('now.open'), count('OPEN')],
    ['soldOut', t('now.soldOut'), count('SOLD_OUT')],
    ['paused', t('now.paused'), count('PAUSED')],
    ['free', t('now.free'), sum(({ free }) => free)],
    ['held', t('now.held'), sum(({ held }) => held)],
    ['gone', t('now.gone'), sum(({ gone }) => gone)],
  ];
  return (
    <dl class="tiles">
      {tiles.map(([id, name, value]) => (
        <div key={id} class="tile" data-tile={id}>
          <dt>{name}</dt>
          <dd class="number">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function SalesTable({ sales, stocks, watched }: Shown & { watched: ReadonlySignal<Watched> }) {
  const cells = (sale: Sale) => saleCells(watched.value.sales.get(sale.id));
  const stockOf = (sale: Sale) => stocks.value.get(sale.id);
  const columns: Column<Sale>[] = [
    { id: 'name', title: t('sale.sale'), head: true, cell: (sale) => <SaleLink sale={sale} /> },
    { id: 'state', title: t('sale.state'), cell: (sale) => <SaleChip status={numbersOf(sale, stockOf(sale)).status} /> },
    { id: 'free', title: t('sale.free'), cell: (sale) => <Free numbers={numbersOf(sale, stockOf(sale))} /> },
    { id: 'held', title: t('sale.held'), numeric: true, cell: (sale) => f.value.number(numbersOf(sale, stockOf(sale)).held) },
    { id: 'gone', title: t('sale.gone'), numeric: true, cell: (sale) => f.value.number(numbersOf(sale, stockOf(sale)).gone) },
    { id: 'accepted', title: t('pulse.tickets'), numeric: true, cell: (sale) => cells(sale).accepted },
    { id: 'refused', title: t('pulse.refusals'), cell: (sale) => cells(sale).refused },
    { id: 'drift', title: t('pulse.drift'), numeric: true, cell: (sale) => cells(sale).drift },
    {
      id: 'left',
      title: t('sale.timeLeft'),
      numeric: true,
      cell: (sale) => (
        <>
          <TimeLeft sale={sale} stock={stockOf(sale)} />
          <AsOf stock={stockOf(sale)} />
        </>
      ),
    },
    {
      id: 'acts',
      title: t('act.acts'),
      cell: (sale) => (
        <span class="acts">
          <SaleActs sale={sale} stock={stockOf(sale)} only={['pause', 'resume']} />
        </span>
      ),
    },
  ];
  return <Table caption={t('now.sales')} columns={columns} rows={sales} id={({ id }) => id} />;
}

function TimeLeft({ sale, stock }: { sale: Sale; stock: Stock | undefined }) {
  const [startsAt, endsAt] = [Date.parse(sale.startsAt), Date.parse(stock?.endsAt ?? sale.endsAt)];
  const now = second.value;
  if (now < startsAt) return <span class="number">{t('sale.opensIn', { timer: f.value.countdown(startsAt - now) })}</span>;
  return <>{now < endsAt ? <span class="number">{f.value.countdown(endsAt - now)}</span> : t('sale.over')}</>;
}

function AsOf({ stock }: { stock: Stock | undefined }) {
  const text = stock ? t('sale.asOf', { time: f.value.time(Date.parse(stock.asOf)) }) : t('sale.asRead');
  return <span class="hint block number">{text}</span>;
}

/** Money and bills that wait for a person. */
function Waiting() {
  const answer = useAnswer(
    async () => {
      const [{ stuckPayments }, { billDifferences }, { failures }] = await Promise.all([
        send(StuckPayments, {}),
        send(BillDifferences, { open: true }),
        send(FailureCount, {}),
      ]);
      const stuck = stuckPayments.payments.length + stuckPayments.refunds.length;
      return { stuck, bills: billDifferences.totalCount, deadLetters: failures.totalCount };
    },
    'waiting',
    4 * EVERY_MS,
  );
  const { stuck = 0, bills = 0, deadLetters = 0 } = answer.value ?? {};
  const alerts = [
    { id: 'deadLetters', n: deadLetters, href: to('failures') },
    { id: 'stuck', n: stuck, href: to('money') },
    { id: 'bills', n: bills, href: to('money', { tab: 'bills' }) },
  ] as const;
  const shown = alerts.filter(({ n }) => n > 0);
  if (shown.length === 0) return null;
  return (
    <ul class="alerts" aria-label={t('now.alerts')}>
      {shown.map(({ id, n, href }) => (
        <li key={id} class="note warn">
          <Icon name="bad" /> <span>{t(`now.${id}`, { n })}</span> <a href={href}>{t('now.look')}</a>
        </li>
      ))}
    </ul>
  );
}
