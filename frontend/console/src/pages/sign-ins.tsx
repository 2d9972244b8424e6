// Who tried to sign in, and what came of it.
import SignInAttempts from '@documents/SignInAttempts.graphql';
import type { SignInAttemptsQuery } from '@kit/generated/operations';
import { Chip, Empty, type Tone } from '@kit/ui';
import { f } from '../app';
import { maybe, t } from '../i18n';
import { Heading, More, Show, useList } from '../page';
import { place } from '../router';
import { Filters } from '../ui/filters';
import { Table, type Column } from '../ui/table';

type Attempt = SignInAttemptsQuery['signInAttempts']['nodes'][number];

const TONES: Record<string, Tone> = {
  SIGNED_IN: 'ok',
  SIGNED_UP: 'ok',
  INVALID_CREDENTIALS: 'warn',
  SECOND_FACTOR_INVALID: 'warn',
  SIGN_UP_REFUSED: 'warn',
  UNAVAILABLE: 'bad',
};

export default function SignIns() {
  const username = place.value.query.get('username');
  const list = useList(SignInAttempts, { username }, (data) => data.signInAttempts);
  const columns: Column<Attempt>[] = [
    { id: 'username', title: t('signIn.username'), head: true, cell: ({ username: name }) => <bdi>{name || '–'}</bdi> },
    {
      id: 'outcome',
      title: t('signIns.outcome'),
      cell: ({ outcome }) => <Chip tone={TONES[outcome] ?? 'plain'}>{maybe(`outcome.${outcome}`) ?? outcome}</Chip>,
    },
    { id: 'account', title: t('signIns.account'), cell: ({ user }) => t(user ? 'form.yes' : 'form.no') },
    { id: 'address', title: t('signIns.address'), cell: ({ address }) => <bdi class="number">{address || '–'}</bdi> },
    { id: 'at', title: t('audit.at'), cell: ({ at }) => <span class="number">{f.value.moment(Date.parse(at))}</span> },
  ];
  return (
    <>
      <Heading title={t('nav.signIns')} hint={t('orders.audited')} />
      <Filters label={t('nav.signIns')} filters={[{ name: 'username', label: t('signIn.username') }]} />
      <Show answer={list}>
        {(attempts) =>
          attempts.length === 0 ? (
            <Empty title={t('signIns.none')} />
          ) : (
            <Table
              caption={t('nav.signIns')}
              columns={columns}
              rows={attempts.map((attempt, index) => ({ ...attempt, index }))}
              id={({ at, index }: Attempt & { index?: number }) => `${at} ${index}`}
            />
          )
        }
      </Show>
      <More list={list} />
    </>
  );
}
