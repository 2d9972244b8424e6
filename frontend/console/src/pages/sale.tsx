// One sale: its numbers, its facts, and what can be done with it.
import { useSignal } from '@preact/signals';
import ConsoleSale from '@documents/ConsoleSale.graphql';
import type { ConsoleSaleQuery } from '@kit/generated/operations';
import { IN_FACTS_PX } from '@kit/pictures';
import { Button, Empty, Icon, Picture } from '@kit/ui';
import { reportAddress, to, type Route } from '../addresses';
import { f, send, zone } from '../app';
import { History } from '../history';
import { t } from '../i18n';
import { Heading, Show, useAnswer } from '../page';
import { may } from '../rights';
import { SaleForm } from '../sale-form';
import { SaleNumbers, useSalePulse } from '../sale-pulse';
import { nameOf, numbersOf, SaleActs, SaleChip, useStock, type Stock } from '../sales';

export type FullSale = NonNullable<ConsoleSaleQuery['sale']>;

const EVERY_MS = 15_000;

export default function SalePage({ route }: { route: Route }) {
  const id = 'id' in route ? route.id : '';
  const sale = useAnswer(async () => (await send(ConsoleSale, { id })).sale, id, EVERY_MS);
  const live = sale.value && sale.value.status !== 'DRAFT' ? [id] : [];
  const stocks = useStock(live);
  return <Show answer={sale}>{(found) => (found ? <Shown sale={found} stock={stocks.value.get(id)} /> : <Missing />)}</Show>;
}

function Missing() {
  return (
    <>
      <Heading title={t('sale.missing')} />
      <Empty title={t('code.SALE_NOT_FOUND')}>
        <Button href={to('schedule')}>{t('nav.schedule')}</Button>
      </Empty>
    </>
  );
}

function Shown({ sale, stock }: { sale: FullSale; stock: Stock | undefined }) {
  const numbers = numbersOf(sale, stock);
  const editing = useSignal(false);
  const points = useSalePulse(sale.id, sale.status !== 'DRAFT' && may('seeShop'));
  const n = (count: number) => f.value.number(count);
  const starts = Date.parse(sale.startsAt);
  const ends = Date.parse(stock?.endsAt ?? sale.endsAt);
  const tiles: [string, string, string][] = [
    ['free', t('sale.free'), n(numbers.free)],
    ['held', t('sale.held'), n(numbers.held)],
    ['gone', t('sale.gone'), n(numbers.gone)],
    ['total', t('sale.total'), n(numbers.total)],
  ];
  const facts: [string, string][] = [
    [t('sale.product'), nameOf(sale)],
    [t('session.session'), `${f.value.moment(starts)} – ${f.value.moment(ends)}${sale.session.name ? ` · ${sale.session.name}` : ''}`],
    [t('sale.price'), f.value.money(sale.price)],
    [t('sale.pointsPrice'), sale.pointsPrice === null ? t('sale.noPoints') : n(sale.pointsPrice)],
    [t('sale.limit'), n(sale.limitPerBuyer)],
    [t('sale.payWithin'), f.value.span(sale.payWithinSeconds * 1000)],
    [t('sale.returns'), t(sale.returnsOnRefund ? 'sale.returns.yes' : 'sale.returns.no')],
    [t('sale.version'), n(sale.version)],
    [t('sale.id'), sale.id],
  ];
  return (
    <>
      <a class="back" href={to('schedule', { day: f.value.date(starts) })}>
        <Icon name="back" /> {t('nav.schedule')}
      </a>
      <Heading title={nameOf(sale)} hint={t('schedule.hint', { zone: zone.value })}>
        {sale.status === 'DRAFT' && may('runSales') && <Button onPress={() => (editing.value = true)}>{t('sale.edit')}</Button>}
        <SaleActs sale={sale} stock={stock} />
      </Heading>
      <p class="sale-state">
        <SaleChip status={numbers.status} />{' '}
        <span class="hint">
          {numbers.asOf === undefined ? t('sale.asRead') : t('sale.liveAsOf', { time: f.value.time(numbers.asOf) })}
        </span>
      </p>
      {sale.gateUpToDate === false && sale.status !== 'DRAFT' && (
        <p class="note warn">
          <Icon name="bad" /> {t('sale.gateBehind')}
        </p>
      )}
      <dl class="tiles">
        {tiles.map(([id, name, value]) => (
          <div key={id} class="tile" data-tile={id}>
            <dt>{name}</dt>
            <dd class="number">{value}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">{t('now.goneNote')}</p>
      <SaleNumbers points={points.value} />
      <section class="sale-facts">
        <h2>{t('sale.facts')}</h2>
        <div class="with-picture">
          <Picture src={sale.product?.imageUrl} size={IN_FACTS_PX} />
          <dl class="facts">
            {facts.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <bdi class="number">{value}</bdi>
                </dd>
              </div>
            ))}
          </dl>
        </div>
        {sale.status !== 'DRAFT' && (
          <p class="links">
            <a href={to('orders', { sale: sale.id })}>{t('sale.orders')}</a>
            <a href={reportAddress(sale.id)}>{t('report.link')}</a>
            <a href={`/sales/${encodeURIComponent(sale.id)}`} target="_blank" rel="noopener">
              {t('sale.asShoppers')}
            </a>
          </p>
        )}
      </section>
      <History subject={sale.id} />
      {editing.value && <SaleForm session={sale.session} sale={sale} onClose={() => (editing.value = false)} />}
    </>
  );
}
