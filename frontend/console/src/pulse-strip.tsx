// The shop in numbers, second by second: six of them with their last minute, alerts, and the answers of the last five minutes.
import { useSignal, type ReadonlySignal } from '@preact/signals';
import Pulses from '@documents/Pulses.graphql';
import WatchPulse from '@documents/WatchPulse.graphql';
import { Fault } from '@kit/api';
import { Icon } from '@kit/ui';
import { useEffect } from 'preact/hooks';
import { saleAddress, to } from './addresses';
import { clock, f, live, onRefresh, second, send } from './app';
import { t } from './i18n';
import { NowCharts } from './now-charts';
import {
  acceptedOf,
  ageOf,
  driftOf,
  isOld,
  isPartial,
  join,
  joinSales,
  KEPT,
  line,
  refusalsOf,
  summary,
  type Frame,
  type Pulse,
  type SaleNumbers,
} from './pulse';

/** So many reasons of refusals are named in a line. */
const REASONS_MOST = 2;
/** Seconds of the small lines. */
const SHOWN = 60;
const [WIDTH, HEIGHT] = [120, 24];

export interface Watched {
  frames: readonly Frame[];
  newest: Pulse | undefined;
  sales: ReadonlyMap<string, SaleNumbers>;
  /** The server refused: too many operators watch. */
  refused: string | undefined;
}

/** The last minutes, and each second that follows. */
export function usePulse(): ReadonlySignal<Watched> {
  const watched = useSignal<Watched>({ frames: [], newest: undefined, sales: new Map(), refused: undefined });
  const take = (frames: readonly Frame[]) => {
    watched.value = { ...watched.peek(), frames: join(watched.peek().frames, frames) };
  };
  useEffect(() => {
    const read = () =>
      send(Pulses, { seconds: KEPT }).then(
        ({ shopPulses }) => take(shopPulses),
        (error: unknown) => {
          // The pushes go on, and the list is read again with everything else.
          if (!(error instanceof Fault)) throw error;
        },
      );
    void read();
    const stop = onRefresh(() => void read());
    const leave = live.watch(WatchPulse, () => ({}), {
      next({ shopPulse }) {
        const held = watched.peek();
        const sales = joinSales(held.sales, shopPulse.sales);
        watched.value = { frames: join(held.frames, [shopPulse]), newest: shopPulse, sales, refused: undefined };
      },
      refused(code) {
        watched.value = { ...watched.peek(), refused: code };
      },
    });
    return () => {
      stop();
      leave();
    };
  }, []);
  return watched;
}

export function PulseStrip({ watched }: { watched: ReadonlySignal<Watched> }) {
  const { frames, newest, refused } = watched.value;
  const last = newest ?? frames.at(-1);
  if (!last) return refused ? <p class="note warn">{t('pulse.refused')}</p> : null;
  // Looked at again with each second, also when nothing comes.
  const old = isOld(last, Math.max(second.value, clock.now()));
  return (
    <>
      <AsOf frame={last} old={old} />
      <Tiles frames={frames} last={last} old={old} />
      {newest && <Alerts alerts={newest.alerts} />}
      <NowCharts frames={frames} />
    </>
  );
}

function AsOf({ frame, old }: { frame: Frame; old: boolean }) {
  const { nodesHeard, nodesRunning } = frame;
  const age = f.value.seconds(ageOf(frame, Math.max(second.value, clock.now())), 1);
  const time = f.value.time(Date.parse(frame.at));
  return (
    <p class={`pulse-as-of number${old ? ' muted' : ''}`} data-old={old} data-nodes={`${nodesHeard}/${nodesRunning}`}>
      {t('pulse.asOf', { heard: f.value.number(nodesHeard), running: f.value.number(nodesRunning), time, age })}
      {old && <> · {t('pulse.old')}</>}
      {isPartial(frame) && <> · {t('pulse.partial')}</>}
    </p>
  );
}

function Tiles({ frames, last, old }: { frames: readonly Frame[]; last: Frame; old: boolean }) {
  const shown = frames.slice(-SHOWN);
  const n = (value: number) => t(isPartial(last) ? 'pulse.atLeast' : 'pulse.exactly', { n: f.value.number(value) });
  const now = summary(last);
  const { ticketsWaiting: waiting, oldestTicketMs: oldest } = last;
  const p99 = last.purchaseLatency.p99Ms;
  const milliseconds = (ms: number) => t('pulse.ms', { ms: f.value.number(Math.round(ms)) });
  const tiles: [string, string, string, (frame: Frame) => number][] = [
    ['arrivals', t('pulse.arrivals'), n(now.arrivals), (frame) => summary(frame).arrivals],
    ['accepted', t('pulse.accepted'), n(now.accepted), (frame) => summary(frame).accepted],
    ['orders', t('pulse.orders'), n(now.orders), (frame) => summary(frame).orders],
    ['paid', t('pulse.paid'), n(now.paid), (frame) => summary(frame).paid],
    [
      'waiting',
      t('pulse.waiting'),
      waiting === null ? '–' : `${f.value.number(waiting)} · ${milliseconds(oldest ?? 0)}`,
      (frame) => frame.ticketsWaiting ?? 0,
    ],
    ['p99', t('pulse.p99'), p99 === null ? '–' : milliseconds(p99), (frame) => frame.purchaseLatency.p99Ms ?? 0],
  ];
  return (
    <dl class={`tiles${old ? ' old' : ''}`}>
      {tiles.map(([id, name, value, of]) => (
        <div key={id} class="tile" data-tile={id}>
          <dt>{name}</dt>
          <dd class="number">{value}</dd>
          <dd class="spark" aria-hidden="true">
            <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
              <polyline points={line(shown.map(of), WIDTH, HEIGHT)} />
            </svg>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** The page with the details of each alert. */
const WHERE = { FAILURES: 'failures', MONEY: 'money', NODE_SILENT: 'nodes', NODE_NOT_READY: 'nodes', DEPENDENCY_DOWN: 'nodes' } as const;

function Alerts({ alerts }: { alerts: Pulse['alerts'] }) {
  // The list of pending work below already reports these two, with more detail.
  const shown = alerts.filter(({ code }) => code !== 'FAILURES' && code !== 'MONEY');
  if (shown.length === 0) return null;
  return (
    <ul class="alerts" aria-label={t('pulse.alerts')}>
      {shown.map(({ code, since, detail, saleId }) => {
        const place = saleId ? saleAddress(saleId) : code in WHERE ? to(WHERE[code as keyof typeof WHERE]) : undefined;
        return (
          <li key={code + (saleId ?? '')} class="note warn" data-alert={code}>
            <Icon name="bad" /> <span class="number">{f.value.time(Date.parse(since))}</span>{' '}
            <span>
              {t(`pulse.alert.${code}`)} ({detail})
            </span>{' '}
            {place && <a href={place}>{t('now.look')}</a>}
          </li>
        );
      })}
    </ul>
  );
}

/** Tickets, refusals and the difference of a sale, where they are known. */
export function saleCells(numbers: SaleNumbers | undefined): { accepted: string; refused: string; drift: string } {
  if (!numbers) return { accepted: '–', refused: '–', drift: '–' };
  const drift = driftOf(numbers);
  const refused = refusalsOf(numbers.purchases).map(({ answer, count }) => `${t(`pulse.answer.${answer}`)} ${f.value.number(count)}`);
  return {
    accepted: f.value.number(numbers.tickets ?? acceptedOf(numbers.purchases)),
    refused: refused.slice(0, REASONS_MOST).join(', ') || '–',
    drift: drift === undefined ? '–' : f.value.number(drift),
  };
}
