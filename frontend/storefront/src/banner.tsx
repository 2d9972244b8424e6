// One line under the header: how fresh what is shown is.
import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { Button } from '@kit/ui';
import { clock, f, heardAt, live, online, outdated, second, shop } from './app';
import { t } from './i18n';

const CONNECTING_MS = 2_000;
const LOST_MS = 5_000;

/** Whether numbers on the page may be old. */
export function useStale() {
  return useComputed(() => {
    const { state, since } = live.link.value;
    void second.value;
    return (state === 'lost' || state === 'restarting') && clock.monotonic() - since > LOST_MS;
  });
}

export function Banner() {
  // What was pushed last came no later than the socket was lost.
  const pushedAt = useSignal(0);
  useSignalEffect(() => {
    const { state } = live.link.value;
    if (state === 'lost' && pushedAt.peek() === 0) pushedAt.value = clock.now();
    if (state === 'live') pushedAt.value = 0;
  });
  const text = useComputed(() => {
    void second.value;
    const { state, since } = live.link.value;
    const age = clock.monotonic() - since;
    if (outdated.value) return t('banner.update');
    if (!online.value) return t('banner.offline');
    if (shop.value?.status === 'PAUSED' && state !== 'restarting' && !(state === 'lost' && age > LOST_MS)) return t('banner.stopped');
    if (state === 'full') return t('banner.full');
    if (state === 'restarting') return t('banner.restarting');
    if (state === 'lost' && age > LOST_MS) return t('banner.lost', { time: f.value.time(Math.max(heardAt.value, pushedAt.value)) });
    if ((state === 'connecting' || state === 'lost') && age > CONNECTING_MS) return t('banner.connecting');
    return '';
  });
  return (
    <div class="banner" role="status" hidden={!text.value}>
      <span>{text}</span>
      {outdated.value && (
        <Button kind="quiet" onPress={() => location.reload()}>
          {t('banner.reload')}
        </Button>
      )}
    </div>
  );
}
