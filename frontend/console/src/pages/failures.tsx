// Messages that could not be handled: read, handled once more, or put away.
import { useSignal } from '@preact/signals';
import FailureDismiss from '@documents/FailureDismiss.graphql';
import FailureReplay from '@documents/FailureReplay.graphql';
import Failures from '@documents/Failures.graphql';
import type { FailuresQuery } from '@kit/generated/operations';
import { Button, Chip, Empty } from '@kit/ui';
import { done, f, send } from '../app';
import { auditOf } from '../audit-link';
import { t } from '../i18n';
import { Heading, More, Show, useList } from '../page';
import { may } from '../rights';
import { place } from '../router';
import { ActDialog, type Reading } from '../ui/act-dialog';
import { Filters } from '../ui/filters';
import { Input } from '../ui/inputs';
import { Table, type Column } from '../ui/table';
import { pretty } from './audit';

type Failure = FailuresQuery['failures']['nodes'][number];
type Wish = 'replay' | 'dismiss';

export default function FailuresPage() {
  const topic = place.value.query.get('topic');
  const list = useList(Failures, { topic }, (data) => data.failures);
  const acting = useSignal<{ wish: Wish; failure: Failure } | undefined>(undefined);
  const moment = (at: string) => <span class="number">{f.value.moment(Date.parse(at))}</span>;
  const columns: Column<Failure>[] = [
    { id: 'topic', title: t('failures.topic'), head: true, cell: ({ topic: one }) => <code>{one}</code> },
    { id: 'at', title: t('failures.failedAt'), cell: ({ failedAt }) => moment(failedAt) },
    {
      id: 'why',
      title: t('failures.reason'),
      cell: ({ reason, ticketId }) => (
        <span>
          {reason}
          {ticketId && (
            <span class="hint block">
              {t('failures.ticket')} <bdi class="id">{ticketId}</bdi>
            </span>
          )}
        </span>
      ),
    },
    {
      id: 'payload',
      title: t('failures.payload'),
      cell: ({ payload, truncated }) => (
        <details>
          <summary>{t('audit.show')}</summary>
          {truncated && <p class="hint">{t('failures.cut')}</p>}
          <pre tabIndex={0}>{pretty(payload)}</pre>
        </details>
      ),
    },
    {
      id: 'acts',
      title: t('act.acts'),
      cell: (failure) =>
        failure.handledAt ? (
          <span>
            <Chip>{t('failures.handled')}</Chip> {moment(failure.handledAt)}
          </span>
        ) : (
          <span class="acts">
            {(may('handleFailures') ? (['replay', 'dismiss'] as const) : []).map((wish) => (
              <Button key={wish} label={`${t(`failures.${wish}.short`)}: ${failure.id}`} onPress={() => (acting.value = { wish, failure })}>
                {t(`failures.${wish}.short`)}
              </Button>
            ))}
          </span>
        ),
    },
  ];
  return (
    <>
      <Heading title={t('nav.failures')} hint={t('failures.hint')} />
      <Filters label={t('nav.failures')} filters={[{ name: 'topic', label: t('failures.topic') }]} />
      <Show answer={list}>
        {(failures) =>
          failures.length === 0 ? (
            <Empty title={t('failures.none')} />
          ) : (
            <Table caption={t('nav.failures')} columns={columns} rows={failures} id={({ id }) => id} />
          )
        }
      </Show>
      <More list={list} />
      {acting.value && <Handle {...acting.value} onClose={() => (acting.value = undefined)} />}
    </>
  );
}

function Handle({ wish, failure, onClose }: { wish: Wish; failure: Failure; onClose: () => void }) {
  const read = (form: FormData): Reading<{ reason: string }> => {
    const reason = String(form.get('reason')).trim();
    return reason ? { input: { reason } } : { errors: { reason: t('reason.missing') } };
  };
  return (
    <ActDialog
      title={t(`failures.${wish}.title`)}
      does={t(`failures.${wish}.does`)}
      shoppers={t(`failures.${wish}.shoppers`)}
      facts={[
        [t('failures.topic'), failure.topic],
        [t('failures.reason'), failure.reason],
      ]}
      button={t(`failures.${wish}.button`)}
      danger={wish === 'dismiss'}
      rules={{ fields: ['reason'], already: ['FAILURE_ALREADY_HANDLED'] }}
      repeatable
      read={read}
      send={async ({ reason }) => {
        const input = { failureId: failure.id, reason };
        if (wish === 'replay') return (await send(FailureReplay, { input })).failureReplay.userErrors;
        return (await send(FailureDismiss, { input })).failureDismiss.userErrors;
      }}
      onDone={() => {
        done.value = { text: t(`failures.${wish}.done`), href: auditOf(failure.id) };
        onClose();
      }}
      onClose={onClose}
    >
      {(error) => <Input label={t('reason.label')} name="reason" hint={t('reason.hint')} error={error('reason')} maxLength={500} first />}
    </ActDialog>
  );
}
