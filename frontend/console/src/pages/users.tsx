// Everybody who has an account.
import { useSignal } from '@preact/signals';
import Users from '@documents/Users.graphql';
import type { UserRole, UsersQuery } from '@kit/generated/operations';
import { Button, Chip, Empty } from '@kit/ui';
import { to } from '../addresses';
import { f } from '../app';
import { t } from '../i18n';
import { PointsForm } from '../money-acts';
import { Heading, More, Show, useList } from '../page';
import { For } from '../rights';
import { place } from '../router';
import { Filters } from '../ui/filters';
import { Table, type Column } from '../ui/table';

type User = UsersQuery['users']['nodes'][number];

const ROLES: readonly UserRole[] = ['BUYER', 'SUPPORT', 'OBSERVER', 'OPERATOR'];

export default function UsersPage() {
  const { query } = place.value;
  const role = ROLES.find((one) => one === query.get('role'));
  const list = useList(Users, { search: query.get('q'), roles: role ? [role] : null }, (data) => data.users);
  const granting = useSignal<User | undefined>(undefined);
  const columns: Column<User>[] = [
    {
      id: 'username',
      title: t('signIn.username'),
      head: true,
      cell: ({ username, displayName }) => (
        <>
          <bdi>{username}</bdi>
          {displayName !== username && (
            <span class="hint block">
              <bdi>{displayName}</bdi>
            </span>
          )}
        </>
      ),
    },
    {
      id: 'role',
      title: t('users.role'),
      cell: ({ role: one }) => <Chip tone={one === 'BUYER' ? 'plain' : 'info'}>{t(`role.${one}`)}</Chip>,
    },
    { id: 'points', title: t('points.points'), numeric: true, cell: ({ points }) => (points ? f.value.number(points.balance) : '–') },
    { id: 'since', title: t('users.since'), cell: ({ createdAt }) => <span class="number">{f.value.moment(Date.parse(createdAt))}</span> },
    {
      id: 'acts',
      title: t('act.acts'),
      cell: (user) => (
        <span class="acts">
          <Button label={`${t('nav.orders')}: ${user.username}`} href={to('orders', { q: user.username })}>
            {t('nav.orders')}
          </Button>
          <For right="grantPoints">
            <Button label={`${t('points.title')}: ${user.username}`} onPress={() => (granting.value = user)}>
              {t('points.title')}
            </Button>
          </For>
        </span>
      ),
    },
  ];
  return (
    <>
      <Heading title={t('nav.users')} hint={t('orders.audited')} />
      <Filters
        label={t('nav.users')}
        filters={[
          { name: 'q', label: t('users.search'), hint: t('users.search.hint') },
          {
            name: 'role',
            label: t('users.role'),
            options: [['', t('filter.any')], ...ROLES.map((one) => [one, t(`role.${one}`)] as const)],
          },
        ]}
      />
      <Show answer={list}>
        {(users) =>
          users.length === 0 ? (
            <Empty title={t('users.none')} />
          ) : (
            <Table caption={t('nav.users')} columns={columns} rows={users} id={({ id }) => id} />
          )
        }
      </Show>
      <More list={list} />
      {granting.value && <PointsForm username={granting.value.username} onClose={() => (granting.value = undefined)} />}
    </>
  );
}
