// One sale in numbers, as they change: what became of its units, and how many pressed.
import { useSignal, type ReadonlySignal } from '@preact/signals';
import SalePulses from '@documents/SalePulses.graphql';
import WatchSalePulse from '@documents/WatchSalePulse.graphql';
import { Fault } from '@kit/api';
import { useEffect } from 'preact/hooks';
import { growth, hold, slots, valuesOf } from './charts';
import { clock, f, live, onRefresh, second, send } from './app';
import { t } from './i18n';
import { acceptedOf, driftOf, joinPoints, KEPT, refusalsOf, type Point } from './pulse';
import { Chart } from './ui/chart';

/** What is known of the last minutes, and each change that follows. */
export function useSalePulse(saleId: string, wanted: boolean): ReadonlySignal<readonly Point[]> {
  const points = useSignal<readonly Point[]>([]);
  useEffect(() => {
    points.value = [];
    if (!wanted) return;
    const take = (more: readonly Point[]) => (points.value = joinPoints(points.peek(), more));
    const read = () =>
      send(SalePulses, { seconds: KEPT, saleId }).then(
        ({ shopPulses }) => take(shopPulses.flatMap(({ sales }) => sales)),
        (error: unknown) => {
          // The pushes go on, and the list is read again with everything else.
          if (!(error instanceof Fault)) throw error;
        },
      );
    void read();
    const stop = onRefresh(() => void read());
    const leave = live.watch(WatchSalePulse, () => ({ saleId }), { next: ({ salePulse }) => void take([salePulse]) });
    return () => {
      stop();
      leave();
    };
  }, [saleId, wanted]);
  return points;
}

export function SaleNumbers({ points }: { points: readonly Point[] }) {
  const last = points.at(-1);
  if (!last) return null;
  return (
    <section>
      <h2>{t('sale.numbers')}</h2>
      <Tiles last={last} />
      <Charts points={points} last={last} />
    </section>
  );
}

function Tiles({ last }: { last: Point }) {
  const n = (value: number | null | undefined) => (value === null || value === undefined ? '–' : f.value.number(value));
  const refused = refusalsOf(last.purchases);
  const tiles: [string, string, string][] = [
    ['accepted', t('pulse.tickets'), n(last.tickets)],
    ['waiting', t('pulse.waiting'), n(last.ticketsWaiting)],
    ['drift', t('pulse.drift'), n(driftOf(last))],
    ['revenue', t('sale.revenue'), last.revenue ? f.value.money(last.revenue) : '–'],
  ];
  return (
    <>
      <dl class="tiles">
        {tiles.map(([id, name, value]) => (
          <div key={id} class="tile" data-tile={id}>
            <dt>{name}</dt>
            <dd class="number">{value}</dd>
          </div>
        ))}
      </dl>
      {refused.length > 0 && (
        <p class="hint number" data-refused>
          {t('pulse.refusals')}: {refused.map(({ answer, count }) => `${t(`pulse.answer.${answer}`)} ${n(count)}`).join(' · ')}
        </p>
      )}
    </>
  );
}

function Charts({ points, last }: { points: readonly Point[]; last: Point }) {
  // Only changes are pushed: as long as the link lives, what was last heard is so.
  const isLive = live.link.value.state === 'live';
  const heard = Date.parse(last.asOf);
  const end = isLive ? Math.max(heard, second.value, clock.now()) : heard;
  const places = hold(slots(points, ({ asOf }) => Date.parse(asOf), end, KEPT));
  const each = (of: (point: Point) => number | null) => valuesOf(places, of);
  const refusedOf = ({ purchases }: Point) => refusalsOf(purchases).reduce((sum, { count }) => sum + count, 0);
  return (
    <div class="charts">
      <Chart
        id="units"
        title={t('chart.units')}
        series={[
          { id: 'free', name: t('sale.free'), tone: 'ok', values: each(({ unitsFree }) => unitsFree) },
          { id: 'held', name: t('sale.held'), tone: 'info', values: each(({ unitsHeld }) => unitsHeld) },
          { id: 'paid', name: t('chart.paid'), tone: 'violet', values: each(({ unitsPaid }) => unitsPaid) },
        ]}
        end={end}
        text={f.value.number}
        fold="last"
      />
      <Chart
        id="presses"
        title={t('chart.presses')}
        series={[
          { id: 'accepted', name: t('chart.accepted'), tone: 'ok', values: growth(each(({ purchases }) => acceptedOf(purchases))) },
          { id: 'refused', name: t('chart.refused'), tone: 'muted', values: growth(each(refusedOf)) },
        ]}
        end={end}
        text={f.value.number}
        fold="sum"
      />
    </div>
  );
}
