import { useSignal } from '@preact/signals';
import Points from '@documents/Points.graphql';
import { Fault } from '@kit/api';
import type { PointsQuery } from '@kit/generated/operations';
import { Button, Loading, Skeleton } from '@kit/ui';
import { useEffect } from 'preact/hooks';
import { f, onRefresh, send, viewer } from '../app';
import { t } from '../i18n';
import { Failed, Heading, SignInFirst, useTitle } from '../page';

type Account = NonNullable<PointsQuery['viewer']>['points'];
type Entry = Account['entries']['nodes'][number];

export default function PointsPage() {
  useTitle(t('points.title'));
  if (viewer.value === null) return <SignInFirst title={t('points.title')} />;
  return (
    <>
      <Heading>{t('points.title')}</Heading>
      <Ledger />
    </>
  );
}

function Ledger() {
  const account = useSignal<Account | undefined>(undefined);
  const entries = useSignal<Entry[]>([]);
  const after = useSignal<string | undefined>(undefined);
  const fault = useSignal<Fault | undefined>(undefined);
  const user = viewer.value?.user.id;
  const read = async (cursor?: string) => {
    try {
      const points = (await send(Points, { after: cursor ?? null })).viewer?.points;
      if (!points) return;
      const { nodes, pageInfo } = points.entries;
      account.value = points;
      entries.value = [...(cursor ? entries.peek() : []), ...nodes];
      after.value = (pageInfo.hasNextPage && pageInfo.endCursor) || undefined;
      fault.value = undefined;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      fault.value = error;
    }
  };
  useEffect(() => {
    if (!user) return;
    void read();
    return onRefresh(() => void read());
  }, [user]);
  const held = account.value;
  if (!held) {
    if (fault.value) return <Failed fault={fault.value} again={() => void read()} />;
    return (
      <Loading label={t('home.loading')} slow={t('home.slow')}>
        <Skeleton kind="order-shape" />
      </Loading>
    );
  }
  const { number } = f.value;
  const more = after.value;
  return (
    <>
      <p class="balance">
        <span class="balance-number number">{number(held.balance)}</span> <span>{t('points.balance')}</span>
      </p>
      {held.reserved > 0 && <p class="muted">{t('points.reserved', { points: number(held.reserved) })}</p>}
      <section class="ledger">
        <h2>{t('points.entries')}</h2>
        {entries.value.length === 0 ? (
          <p class="muted">{t('points.empty')}</p>
        ) : (
          <table class="table">
            <thead>
              <tr>
                <th scope="col">{t('points.when')}</th>
                <th scope="col">{t('points.what')}</th>
                <th scope="col" class="end">
                  {t('points.change')}
                </th>
              </tr>
            </thead>
            <tbody>
              {entries.value.map((entry) => (
                <tr key={entry.id}>
                  <td class="number">{f.value.moment(Date.parse(entry.createdAt))}</td>
                  <td>
                    {t(`points.${entry.kind}`)}
                    {entry.order && (
                      <>
                        {' '}
                        <a href={`/orders/${encodeURIComponent(entry.order.id)}`}>
                          <bdi>{entry.order.productName}</bdi>
                        </a>
                      </>
                    )}
                    {entry.reason && (
                      <span class="muted">
                        {' '}
                        <bdi>{entry.reason}</bdi>
                      </span>
                    )}
                  </td>
                  <td class={`number end ${entry.points < 0 ? '' : 'gain'}`}>
                    {entry.points > 0 ? '+' : ''}
                    {number(entry.points)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {more && (
          <div class="more">
            <Button onPress={() => void read(more)}>{t('points.more')}</Button>
          </div>
        )}
      </section>
    </>
  );
}
