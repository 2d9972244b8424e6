// What pages have in common.
import { useSignal } from '@preact/signals';
import { Fault } from '@kit/api';
import { Button, Empty } from '@kit/ui';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { asking, onRefresh, shop, viewer } from './app';
import { t } from './i18n';
import { troubleOf } from './machine/trouble';

/** The heading that takes the focus when its page was gone to. */
export const Heading = ({ children }: { children: ComponentChildren }) => <h1 tabIndex={-1}>{children}</h1>;

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · ${shop.value?.name ?? t('shop.title')}`;
  }, [title, shop.value?.name]);
}

export interface Question<T> {
  value: T | undefined;
  fault: Fault | undefined;
  again: () => void;
}

/** Asks when the page is opened and whenever facts have to be read again; the last good answer stays. */
export function useAnswer<T>(ask: () => Promise<T>, of: unknown): Question<T> {
  const value = useSignal<T | undefined>(undefined);
  const fault = useSignal<Fault | undefined>(undefined);
  const count = useSignal(0);
  const again = () => {
    const mine = ++count.value;
    ask().then(
      (answer) => {
        if (mine !== count.peek()) return;
        value.value = answer;
        fault.value = undefined;
      },
      (error: unknown) => {
        if (mine !== count.peek()) return;
        if (!(error instanceof Fault)) throw error;
        fault.value = error;
      },
    );
  };
  useEffect(() => {
    again();
    return onRefresh(again);
  }, [of]);
  return { value: value.value, fault: fault.value, again };
}

export function Failed({ fault, again }: { fault: Fault; again: () => void }) {
  const { key, requestId = '', seconds = 0 } = troubleOf(fault, false);
  return (
    <Empty title={t('failed.title')} body={t(key, { requestId, s: seconds, name: viewer.value?.user.displayName ?? '' })}>
      <Button onPress={again}>{t('fault.retry')}</Button>
    </Empty>
  );
}

/** In place of a page that shows what is one's own. */
export function SignInFirst({ title }: { title: string }) {
  return (
    <>
      <Heading>{title}</Heading>
      <Empty title={t('form.signInFirst')}>
        <Button kind="primary" onPress={() => (asking.value = { reason: 'again' })}>
          {t('nav.signIn')}
        </Button>
      </Empty>
    </>
  );
}

