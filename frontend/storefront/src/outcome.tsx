// The result of a sale that has ended, loaded on request: loading it automatically would make every open page ask when the sale ends.
import { useSignal } from '@preact/signals';
import SaleOutcome from '@documents/SaleOutcome.graphql';
import { Fault } from '@kit/api';
import type { SaleOutcomeQuery } from '@kit/generated/operations';
import { Button } from '@kit/ui';
import { f, send } from './app';
import { t } from './i18n';

type Numbers = NonNullable<NonNullable<SaleOutcomeQuery['sale']>['outcome']>;

const ROWS = [
  ['tickets', 'tickets'],
  ['orders', 'orders'],
  ['sold', 'unitsSold'],
  ['refunded', 'unitsRefunded'],
  ['unpaid', 'unitsUnpaid'],
  ['unsold', 'unitsUnsold'],
  ['total', 'unitsTotal'],
] as const satisfies readonly (readonly [string, keyof Numbers])[];

export function Outcome({ id }: { id: string }) {
  const told = useSignal<Numbers | 'busy' | 'failed' | 'later' | undefined>(undefined);
  const ask = async () => {
    told.value = 'busy';
    try {
      told.value = (await send(SaleOutcome, { id })).sale?.outcome ?? 'later';
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      told.value = 'failed';
    }
  };
  const numbers = told.value;
  return (
    <div class="outcome">
      <div role="status">
        {typeof numbers === 'object' && (
          <>
            <dl class="facts">
              {ROWS.map(([name, field]) => (
                <>
                  <dt>{t(`outcome.${name}`)}</dt>
                  <dd class="number">{f.value.number(numbers[field])}</dd>
                </>
              ))}
            </dl>
            <p class="hint">
              {t(numbers.settled ? 'outcome.settled' : 'outcome.open', { time: f.value.moment(Date.parse(numbers.asOf)) })}
            </p>
            {numbers.digest && (
              <p class="hint digest">
                {t('outcome.digest')} <code>{numbers.digest}</code> <a href="/help#report">{t('outcome.digest.help')}</a>
              </p>
            )}
          </>
        )}
        {numbers === 'later' && <p class="hint">{t('outcome.later')}</p>}
        {numbers === 'failed' && <p class="hint">{t('fault.UNAVAILABLE')}</p>}
      </div>
      {(typeof numbers !== 'object' || !numbers.settled) && (
        <div class="panel-more">
          <Button kind="quiet" busy={numbers === 'busy'} onPress={() => void ask()}>
            {t(typeof numbers === 'object' ? 'outcome.again' : 'outcome.ask')}
          </Button>
        </div>
      )}
    </div>
  );
}
