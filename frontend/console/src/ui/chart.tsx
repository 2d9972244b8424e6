// A chart of the last seconds: lines or stacked areas, with their numbers in words beside them, and all of it as a table.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { area, ceiling, path, rows, SECOND_MS, stack, type Row, type Values } from '../charts';
import { f } from '../app';
import { t } from '../i18n';
import { Table, type Column } from './table';

/** Colours have meanings: what went well, what waits, what is wrong. Dashes tell lines apart where colours do not. */
export type ChartTone = 'ok' | 'info' | 'violet' | 'warn' | 'bad' | 'muted';
const DASHES: Record<ChartTone, string | undefined> = { ok: undefined, info: '6 3', violet: '2 3', warn: '9 3 2 3', bad: undefined, muted: '1 4' };

export interface Series {
  id: string;
  name: string;
  tone: ChartTone;
  values: Values;
}

interface ChartProps {
  id: string;
  title: string;
  series: readonly Series[];
  /** The moment of the last second. */
  end: number;
  text: (value: number) => string;
  /** One on top of the other; the numbers beside them are sums of all seconds. */
  stacked?: boolean;
  /** What a row of the table says of its seconds. */
  fold: 'sum' | 'most' | 'last';
  /** Seconds in which something is missing. */
  doubtful?: readonly boolean[];
  /** Another table than that of the seconds. */
  table?: ComponentChildren;
}

const HEIGHT = 100;
/** Seconds of a row of the table. */
const EACH = 15;
/** Grid lines, as shares of the height. */
const GRID = [0, 0.5, 1];
const MINUTE = 60;

export function Chart({ id, title, series, end, text, stacked = false, fold, doubtful, table }: ChartProps) {
  const at = useSignal<number | undefined>(undefined);
  const open = useSignal(false);
  const all = series.map(({ values }) => values);
  const count = all[0]?.length ?? 0;
  const drawn = stacked ? stack(all) : all;
  const top = ceiling(drawn);
  const point = (event: PointerEvent) => {
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    at.value = Math.min(count - 1, Math.max(0, Math.floor(((event.clientX - left) / width) * count)));
  };
  const moment = (place: number) => end - (count - 1 - place) * SECOND_MS;
  const missing = doubtful?.some(Boolean);
  return (
    <figure class="chart" data-chart={id} aria-label={title}>
      <figcaption>
        <b>{title}</b>{' '}
        <span class="hint number">
          {stacked && at.value === undefined ? t('chart.sum') : f.value.time(moment(at.value ?? count - 1))}
        </span>
      </figcaption>
      <Legend series={series} text={text} place={at.value} stacked={stacked} />
      <div class="plot" aria-hidden="true">
        <span class="axis number">
          {GRID.map((share) => (
            <span key={share}>{text(top * (1 - share))}</span>
          ))}
        </span>
        <svg viewBox={`0 0 ${count} ${HEIGHT}`} preserveAspectRatio="none" onPointerMove={point} onPointerDown={point} onPointerLeave={() => (at.value = undefined)}>
          <Grid count={count} end={end} />
          {stacked
            ? drawn.map((values, index) => <path key={index} class={`area tone-${series[index]?.tone}`} d={area(values, top, HEIGHT)} />).reverse()
            : drawn.map((values, index) => {
                const tone = series[index]?.tone ?? 'muted';
                return <path key={index} class={`line tone-${tone}`} stroke-dasharray={DASHES[tone]} d={path(values, top, HEIGHT)} />;
              })}
          {missing && <path class="doubtful" d={area((doubtful ?? []).map((is) => (is ? 4 : undefined)), HEIGHT, HEIGHT)} />}
          {at.value !== undefined && <path class="cursor" d={`M${at.value + 0.5} 0V${HEIGHT}`} />}
        </svg>
        <span class="axis-times hint number">
          <span>{f.value.time(moment(0))}</span>
          <span>{f.value.time(end)}</span>
        </span>
      </div>
      {missing && <p class="hint">{t('chart.doubtful')}</p>}
      <details onToggle={(event) => (open.value = event.currentTarget.open)}>
        <summary>{t('chart.table')}</summary>
        {open.value && (table ?? <Seconds title={title} series={series} rows={rows(all, end, EACH, fold)} text={text} fold={fold} />)}
      </details>
    </figure>
  );
}

/** A line for each quarter of the height that is named, and for each minute. */
function Grid({ count, end }: { count: number; end: number }) {
  const first = Math.floor(end / SECOND_MS) - count + 1;
  const lines = GRID.map((share) => `M0 ${share * HEIGHT}H${count}`);
  for (let x = MINUTE - (first % MINUTE); x < count; x += MINUTE) lines.push(`M${x} 0V${HEIGHT}`);
  return <path class="grid" d={lines.join('')} />;
}

interface LegendProps {
  series: readonly Series[];
  text: (value: number) => string;
  /** The second that is pointed at. */
  place: number | undefined;
  stacked: boolean;
}

function Legend({ series, text, place, stacked }: LegendProps) {
  const shown = ({ values }: Series): string => {
    if (stacked && place === undefined) return text(values.reduce<number>((sum, value) => sum + (value ?? 0), 0));
    const value = values[place ?? values.length - 1];
    return value === undefined ? '–' : text(value);
  };
  return (
    <ul class="legend">
      {series.map((one) => (
        <li key={one.id} data-series={one.id}>
          <svg class="swatch" viewBox="0 0 20 10" aria-hidden="true">
            {stacked ? (
              <path class={`area tone-${one.tone}`} d="M4 0h12v10H4Z" />
            ) : (
              <path class={`line tone-${one.tone}`} stroke-dasharray={DASHES[one.tone]} d="M0 5H20" />
            )}
          </svg>{' '}
          {one.name} <b class="number">{shown(one)}</b>
        </li>
      ))}
    </ul>
  );
}

function Seconds({ title, series, rows: list, text, fold }: Pick<ChartProps, 'title' | 'series' | 'text' | 'fold'> & { rows: readonly Row[] }) {
  const columns: Column<Row>[] = [
    { id: 'at', title: t('chart.from'), head: true, cell: ({ at }) => <span class="number">{f.value.time(at)}</span> },
    ...series.map(({ id, name }, index): Column<Row> => ({
      id,
      title: name,
      numeric: true,
      cell: ({ values }) => (values[index] === undefined ? '–' : text(values[index])),
    })),
  ];
  return (
    <>
      <p class="hint">{t(`chart.fold.${fold}`, { n: EACH })}</p>
      <Table caption={title} columns={columns} rows={list} id={({ at }) => String(at)} />
    </>
  );
}
