// The last minutes of the whole shop, drawn: what buyers were answered, what became of it, and how long it took.
import { Chart, type ChartTone, type Series } from './ui/chart';
import { slots, valuesOf } from './charts';
import { clock, f, second } from './app';
import { t } from './i18n';
import { byAnswer, countIn, isOld, isPartial, KEPT, summary, type Frame, type Group } from './pulse';
import { Table } from './ui/table';

const TONES: Record<Group, ChartTone> = {
  accepted: 'ok',
  soldOut: 'muted',
  alreadyBought: 'violet',
  closed: 'info',
  other: 'warn',
  fault: 'bad',
};

export function NowCharts({ frames }: { frames: readonly Frame[] }) {
  const last = frames.at(-1);
  if (!last) return null;
  const newest = Date.parse(last.at);
  const now = Math.max(second.value, clock.now());
  // When nothing comes the lines end, and the time goes on.
  const end = isOld(last, now) ? now : newest;
  const places = slots(frames, ({ at }) => Date.parse(at), end, KEPT);
  const each = (of: (frame: Frame) => number | null) => valuesOf(places, of);
  const ms = (value: number) => t('pulse.ms', { ms: f.value.number(Math.round(value)) });
  const groups = (Object.keys(TONES) as Group[]).map((id): Series => ({
    id,
    name: t(`chart.${id}`),
    tone: TONES[id],
    values: each((frame) => countIn(frame, id)),
  }));
  const answered = groups.filter(({ id, values }) => id === 'accepted' || values.some(Boolean));
  const doubtful = places.map((frame) => frame !== undefined && isPartial(frame));
  const common = { end, doubtful };
  return (
    <section class="charts" aria-label={t('chart.title')}>
      <Chart {...common} id="answers" title={t('pulse.answers')} series={answered} text={f.value.number} stacked fold="sum" table={<Answers frames={frames} />} />
      <Chart
        {...common}
        id="orders"
        title={t('chart.orders')}
        series={[
          { id: 'accepted', name: t('chart.accepted'), tone: 'ok', values: each((frame) => summary(frame).accepted) },
          { id: 'orders', name: t('chart.created'), tone: 'info', values: each((frame) => summary(frame).orders) },
          { id: 'paid', name: t('chart.paid'), tone: 'violet', values: each((frame) => summary(frame).paid) },
        ]}
        text={f.value.number}
        fold="sum"
      />
      <Chart
        {...common}
        id="latency"
        title={t('chart.latency')}
        series={[
          { id: 'p50', name: 'p50', tone: 'info', values: each((frame) => frame.purchaseLatency.p50Ms) },
          { id: 'p99', name: 'p99', tone: 'bad', values: each((frame) => frame.purchaseLatency.p99Ms) },
        ]}
        text={ms}
        fold="most"
      />
      <Chart
        {...common}
        id="waiting"
        title={t('chart.waiting')}
        series={[{ id: 'waiting', name: t('pulse.waiting'), tone: 'warn', values: each((frame) => frame.ticketsWaiting) }]}
        text={f.value.number}
        fold="most"
      />
    </section>
  );
}

/** Each answer by its own name. */
function Answers({ frames }: { frames: readonly Frame[] }) {
  const counts = byAnswer(frames.map(({ purchases }) => purchases));
  if (counts.length === 0) return <p class="muted">{t('chart.nothing')}</p>;
  return (
    <Table
      caption={t('pulse.answers')}
      columns={[
        { id: 'answer', title: t('pulse.answer'), head: true, cell: ({ answer }) => t(`pulse.answer.${answer}`) },
        { id: 'count', title: t('pulse.count'), numeric: true, cell: ({ count }) => f.value.number(count) },
      ]}
      rows={counts}
      id={({ answer }) => answer}
    />
  );
}
