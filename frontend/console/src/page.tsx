// What pages have in common.
import { useSignal } from '@preact/signals';
import { Fault, type Doc } from '@kit/api';
import { Button, Empty, Loading, Skeleton } from '@kit/ui';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { f, heardAt, onRefresh, send, shop } from './app';
import { t } from './i18n';
import { saying } from './trouble';

interface HeadingProps {
  title: string;
  /** What stands beside it: the page's own acts. */
  children?: ComponentChildren;
  hint?: ComponentChildren;
}

/** The heading that takes the focus when its page was gone to. */
export function Heading({ title, children, hint }: HeadingProps) {
  useEffect(() => {
    document.title = `${title} · ${shop.value?.name ?? t('shell.title')}`;
  }, [title, shop.value?.name]);
  return (
    <div class="page-head">
      <div>
        <h1 tabIndex={-1}>{title}</h1>
        {hint && <p class="hint">{hint}</p>}
      </div>
      {children && <div class="row">{children}</div>}
    </div>
  );
}

export interface Answer<T> {
  value: T | undefined;
  fault: Fault | undefined;
  /** When `value` came. */
  at: number | undefined;
  again: () => void;
}

/** Asks when the page is opened, when `of` changes and whenever facts have to be read again; the last good answer stays. */
export function useAnswer<T>(ask: () => Promise<T>, of: unknown, everyMs?: number): Answer<T> {
  const value = useSignal<T | undefined>(undefined);
  const fault = useSignal<Fault | undefined>(undefined);
  const at = useSignal<number | undefined>(undefined);
  const count = useSignal(0);
  const again = () => {
    const mine = ++count.value;
    ask().then(
      (answer) => {
        if (mine !== count.peek()) return;
        value.value = answer;
        fault.value = undefined;
        at.value = heardAt.peek();
      },
      (error: unknown) => {
        if (mine !== count.peek()) return;
        if (!(error instanceof Fault)) throw error;
        fault.value = error;
      },
    );
  };
  useEffect(() => {
    value.value = undefined;
    again();
    const timer = everyMs && setInterval(() => document.visibilityState === 'visible' && again(), everyMs);
    const stop = onRefresh(again);
    return () => {
      stop();
      clearInterval(timer || undefined);
    };
  }, [of]);
  return { value: value.value, fault: fault.value, at: at.value, again };
}

interface PageOf<N> {
  nodes: N[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

export interface List<N> extends Answer<N[]> {
  /** Reads the next page; absent when there is none. */
  more: (() => void) | undefined;
}

/** A list that is read page by page. */
export function useList<D, V extends object, N>(doc: Doc<D, V>, variables: V, pick: (data: D) => PageOf<N>): List<N> {
  const rest = useSignal<N[]>([]);
  const cursor = useSignal<string | undefined>(undefined);
  const of = JSON.stringify(variables);
  const first = useAnswer(async () => {
    const page = pick(await send(doc, variables));
    rest.value = [];
    cursor.value = (page.pageInfo.hasNextPage && page.pageInfo.endCursor) || undefined;
    return page.nodes;
  }, of);
  const failed = useSignal<Fault | undefined>(undefined);
  const after = cursor.value;
  const more = async () => {
    try {
      const page = pick(await send(doc, { ...variables, after }));
      rest.value = [...rest.peek(), ...page.nodes];
      cursor.value = (page.pageInfo.hasNextPage && page.pageInfo.endCursor) || undefined;
      failed.value = undefined;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      failed.value = error;
    }
  };
  return {
    ...first,
    value: first.value && [...first.value, ...rest.value],
    fault: first.fault ?? failed.value,
    more: after ? () => void more() : undefined,
  };
}

export function Failed({ fault, again }: { fault: Fault; again: () => void }) {
  return (
    <Empty title={t('failed.title')} body={saying(fault, false)}>
      <Button onPress={again}>{t('fault.retry')}</Button>
    </Empty>
  );
}

interface ShowProps<T> {
  answer: Answer<T>;
  children: (value: T) => ComponentChildren;
}

/** An answer; skeletons before it, and what went wrong instead of it or above it. */
export function Show<T>({ answer: { value, fault, at, again }, children }: ShowProps<T>) {
  if (value === undefined) {
    if (fault) return <Failed fault={fault} again={again} />;
    return (
      <Loading label={t('page.loading')} slow={t('page.slow')}>
        {[1, 2, 3].map((n) => (
          <Skeleton key={n} kind="row-shape" />
        ))}
      </Loading>
    );
  }
  return (
    <>
      {fault && (
        <p class="note warn" role="status">
          {t('page.stale', { time: at ? f.value.time(at) : '–', why: saying(fault, false) })}{' '}
          <Button kind="quiet" onPress={again}>
            {t('fault.retry')}
          </Button>
        </p>
      )}
      {children(value)}
    </>
  );
}

export function More({ list }: { list: { more: (() => void) | undefined } }) {
  if (!list.more) return null;
  return (
    <div class="more">
      <Button onPress={list.more}>{t('page.more')}</Button>
    </div>
  );
}
