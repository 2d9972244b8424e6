// Stopping all sales at once and resuming them. While they are stopped, every page says so.
import { signal } from '@preact/signals';
import AuditEntries from '@documents/AuditEntries.graphql';
import ConsoleSales from '@documents/ConsoleSales.graphql';
import ShopPause from '@documents/ShopPause.graphql';
import ShopResume from '@documents/ShopResume.graphql';
import type { SaleStatus } from '@kit/generated/operations';
import { Button, Icon } from '@kit/ui';
import { to } from './addresses';
import { clock, done, f, send, shop, stopped } from './app';
import { t } from './i18n';
import { useAnswer } from './page';
import { For, may } from './rights';
import { ActDialog, type Reading } from './ui/act-dialog';
import { Input } from './ui/inputs';

type Turn = 'stopAll' | 'resumeAll';

/** The act whose dialog is open. It outlives the button that opened it, which disappears when the act is done. */
const turning = signal<Turn | undefined>(undefined);

const AUDIT = to('audit', { act: 'shop.' });
/** What the dialog counts: the sales that stop, or those that may sell again. */
const TOUCHED: Record<Turn, SaleStatus[]> = { stopAll: ['OPEN', 'SOLD_OUT'], resumeAll: ['PAUSED'] };
const ALREADY: Record<Turn, string> = { stopAll: 'SHOP_ALREADY_PAUSED', resumeAll: 'SHOP_NOT_PAUSED' };

export function StopButton() {
  if (shop.value === undefined || stopped.value || !may('stopShop')) return null;
  return (
    <Button kind="danger" onPress={() => (turning.value = 'stopAll')}>
      {t('act.stopAll.short')}
    </Button>
  );
}

export function StoppedBanner() {
  const since = stopped.value ? shop.value?.statusSince : undefined;
  return (
    <div role="status" class="done-line">
      {since && (
        <div class="note bad stopped">
          <Icon name="bad" />
          <p>
            <b>{t('stopped.title', { time: f.value.moment(Date.parse(since)) })}</b> {t('stopped.body')}{' '}
            <For right="seeShop">
              <Why since={since} />
            </For>
          </p>
          <For right="stopShop">
            <Button onPress={() => (turning.value = 'resumeAll')}>{t('act.resumeAll.short')}</Button>
          </For>
        </div>
      )}
    </div>
  );
}

/** Who stopped them, and why: from the audit log, for those who may read it. */
function Why({ since }: { since: string }) {
  const entry = useAnswer(async () => (await send(AuditEntries, { filter: { act: 'shop.pause' } })).auditEntries.nodes[0] ?? null, since);
  const { operator, reason } = entry.value ?? {};
  return (
    <>
      {operator && <bdi>{t('stopped.why', { operator: operator.username, reason: reason ?? '–' })}</bdi>} <a href={AUDIT}>{t('act.audit')}</a>
    </>
  );
}

export function TurnDialog() {
  const turn = turning.value;
  return turn && <Dialog key={turn} turn={turn} />;
}

function Dialog({ turn }: { turn: Turn }) {
  const touched = useAnswer(async () => (await send(ConsoleSales, { statuses: TOUCHED[turn] })).sales, turn);
  const sales = touched.value;
  const count = sales ? t(sales.pageInfo.hasNextPage ? 'act.atLeast' : 'act.exactly', { n: f.value.number(sales.nodes.length) }) : '–';
  const close = () => (turning.value = undefined);
  const read = (form: FormData): Reading<{ reason: string }> => {
    const errors: Record<string, string> = {};
    const reason = String(form.get('reason')).trim();
    if (!reason) errors.reason = t('reason.missing');
    const word = String(form.get('word') ?? '').trim();
    if (turn === 'stopAll' && word.toLowerCase() !== WORD) errors.word = t('act.stopAll.wordMissing', { word: WORD });
    return Object.keys(errors).length > 0 ? { errors } : { input: { reason } };
  };
  return (
    <ActDialog
      title={t(`act.${turn}.title`)}
      does={t(`act.${turn}.does`)}
      shoppers={t(`act.${turn}.shoppers`)}
      facts={[[t(`act.${turn}.touched`), count]]}
      button={t(`act.${turn}.button`)}
      danger={turn === 'stopAll'}
      rules={{ fields: ['reason'], already: [ALREADY[turn]] }}
      repeatable
      read={read}
      send={async (input) => {
        const answer = turn === 'stopAll' ? (await send(ShopPause, { input })).shopPause : (await send(ShopResume, { input })).shopResume;
        if (answer.shop) shop.value = answer.shop;
        return answer.userErrors;
      }}
      onDone={() => {
        done.value = { text: t(`act.${turn}.done`, { time: f.value.time(clock.now()) }), href: AUDIT };
        close();
        // The button that opened the dialog has disappeared.
        document.querySelector<HTMLElement>('h1')?.focus();
      }}
      onClose={close}
    >
      {(error) => (
        <>
          <Input label={t('reason.label')} name="reason" hint={t('reason.hint')} error={error('reason')} maxLength={500} first />
          {turn === 'stopAll' && <Input label={t('act.stopAll.word', { word: WORD })} name="word" error={error('word')} />}
        </>
      )}
    </ActDialog>
  );
}

/** The same in every language: what is typed in an emergency needs no other keyboard. */
const WORD = 'stop';
