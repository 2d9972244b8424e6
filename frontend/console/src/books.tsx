// The books, checked when somebody asks for it.
import { useSignal } from '@preact/signals';
import BooksAudit from '@documents/BooksAudit.graphql';
import { Fault } from '@kit/api';
import type { BooksAuditQuery } from '@kit/generated/operations';
import { Button, Chip, Icon } from '@kit/ui';
import { f, send } from './app';
import { t } from './i18n';
import { saying } from './trouble';
import { Table, type Column } from './ui/table';

type Audit = BooksAuditQuery['booksAudit'];
type Invariant = Audit['invariants'][number];

/** Looking through all books takes longer than other questions. */
const PATIENCE_MS = 60_000;

export function Books() {
  const audit = useSignal<Audit | undefined>(undefined);
  const fault = useSignal<Fault | undefined>(undefined);
  const busy = useSignal(false);
  const check = async () => {
    if (busy.peek()) return;
    busy.value = true;
    try {
      audit.value = (await send(BooksAudit, {}, { timeoutMs: PATIENCE_MS })).booksAudit;
      fault.value = undefined;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      fault.value = error;
    } finally {
      busy.value = false;
    }
  };
  const columns: Column<Invariant>[] = [
    { id: 'number', title: t('books.number'), cell: ({ number }) => <span class="number">{number}</span> },
    { id: 'title', title: t('books.title'), head: true, cell: ({ title }) => title },
    {
      id: 'state',
      title: t('sale.state'),
      cell: ({ breaches }) => (
        <Chip tone={breaches.length === 0 ? 'ok' : 'bad'}>{t(breaches.length === 0 ? 'books.holds' : 'books.broken')}</Chip>
      ),
    },
    {
      id: 'rows',
      title: t('books.rows'),
      cell: ({ breaches }) =>
        breaches.length === 0 ? (
          '–'
        ) : (
          <details>
            <summary>{t('books.count', { n: breaches.length })}</summary>
            <pre tabIndex={0}>{breaches.join('\n')}</pre>
          </details>
        ),
    },
  ];
  const found = audit.value;
  return (
    <>
      <p class="muted">{t('books.does')}</p>
      <div class="row">
        <Button kind="primary" busy={busy.value} onPress={() => void check()}>
          {t('books.check')}
        </Button>
      </div>
      {fault.value && (
        <p class="note warn" role="alert">
          <Icon name="bad" /> {saying(fault.value, false)}
        </p>
      )}
      {found && (
        <>
          <p class={`note ${found.ok ? 'ok' : 'bad'}`} role="status">
            <Icon name={found.ok ? 'ok' : 'bad'} />{' '}
            {t(found.ok ? 'books.ok' : 'books.notOk', { time: f.value.moment(Date.parse(found.at)) })}
          </p>
          <Table caption={t('money.books')} columns={columns} rows={found.invariants} id={({ number }) => String(number)} />
        </>
      )}
    </>
  );
}
