// What the audit log has about one object, the newest first.
import AuditEntries from '@documents/AuditEntries.graphql';
import { send } from './app';
import { auditOf } from './audit-link';
import { t } from './i18n';
import { AuditTable } from './pages/audit';
import { Show, useAnswer } from './page';

const SHOWN = 5;

export function History({ subject }: { subject: string }) {
  const answer = useAnswer(
    async () => (await send(AuditEntries, { filter: { subject } })).auditEntries.nodes.slice(0, SHOWN),
    subject,
  );
  return (
    <section>
      <h2>{t('audit.history')}</h2>
      <Show answer={answer}>
        {(entries) =>
          entries.length === 0 ? <p class="muted">{t('audit.none')}</p> : <AuditTable entries={entries} withSubject={false} />
        }
      </Show>
      <p>
        <a href={auditOf(subject)}>{t('audit.all')}</a>
      </p>
    </section>
  );
}
