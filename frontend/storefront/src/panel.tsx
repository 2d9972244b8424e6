// The purchase panel: title, body, timer, controls, notes. The same one on a sale's page and on an order's.
import { announce } from '@kit/ui/announce';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from './i18n';
import type { State } from './machine/derive';

export type Tone = 'plain' | 'ok' | 'warn' | 'bad' | 'info';

const TONES: Partial<Record<State, Tone>> = {
  open: 'ok',
  openSignedOut: 'ok',
  won: 'ok',
  paid: 'ok',
  refunded: 'ok',
  queued: 'info',
  queuedLong: 'info',
  sending: 'info',
  payPending: 'info',
  payPendingLong: 'info',
  payRedirect: 'info',
  payingPoints: 'info',
  refunding: 'info',
  sendingAgain: 'info',
  unknown: 'warn',
  unknownOffline: 'warn',
  waitingBusy: 'warn',
  waitingRate: 'warn',
  stopped: 'warn',
  payClosed: 'warn',
  payOver: 'warn',
  paused: 'warn',
  quantity: 'warn',
  signedOut: 'warn',
  sessionOver: 'warn',
  fault: 'bad',
  refundFailed: 'bad',
  missing: 'bad',
};

/** States that are said at once. */
const URGENT = new Set<State>(['won', 'lostSoldOut', 'lostEnded', 'lostVoided', 'payOver']);

interface PanelProps {
  state: State;
  title: string;
  body: string;
  /** In large figures: how long until something happens. */
  timer?: { text: string; label: string } | undefined;
  /** The one row of buttons that decide something. */
  bar: ComponentChildren;
  more?: ComponentChildren;
  notes?: ComponentChildren;
}

export function Panel({ state, title, body, timer, bar, more, notes }: PanelProps) {
  const said = useRef<State | undefined>(undefined);
  useEffect(() => {
    const before = said.current;
    said.current = state;
    if (before === undefined || before === state || state === 'loading') return;
    const urgent = URGENT.has(state);
    announce(urgent ? `${title} ${body}`.trim() : title, urgent);
  }, [state]);
  return (
    <section class={`panel ${TONES[state] ?? 'plain'}`} aria-label={t('buy.panel')} data-state={state}>
      <div class="panel-text">
        <h2 class="panel-title">{title}</h2>
        {timer && (
          <p class="timer number" role="timer" aria-live="off" aria-label={timer.label}>
            {timer.text}
          </p>
        )}
        <p class="panel-body">{body}</p>
      </div>
      <div class="bar">{bar}</div>
      {more}
      {notes && <div class="panel-notes">{notes}</div>}
    </section>
  );
}
