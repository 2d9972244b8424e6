// Which product a sale sells: found by its name.
import { useSignal } from '@preact/signals';
import Products from '@documents/Products.graphql';
import { useEffect, useRef } from 'preact/hooks';
import { send } from './app';
import { t } from './i18n';
import { Input, Select } from './ui/inputs';

export interface Pick {
  id: string;
  name: string;
}

interface Props {
  chosen: Pick | undefined;
  error: string | undefined;
  now: string | undefined;
}

/** So long nothing is typed before it is looked for. */
const PAUSE_MS = 250;

export function ProductPick({ chosen, error, now }: Props) {
  const found = useSignal<readonly Pick[]>([]);
  const more = useSignal(false);
  const value = useSignal(chosen?.id ?? '');
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const asked = useRef(0);
  const read = async (search: string) => {
    const mine = ++asked.current;
    const { products } = await send(Products, { search: search || null });
    if (mine !== asked.current) return;
    found.value = products.nodes;
    more.value ||= products.pageInfo.hasNextPage;
    // What was looked for and is the only one is meant.
    if (search && products.nodes.length === 1) value.value = products.nodes[0]?.id ?? value.peek();
  };
  useEffect(() => {
    void read('').catch(() => undefined);
    return () => clearTimeout(timer.current);
  }, []);
  const held = chosen && !found.value.some(({ id }) => id === chosen.id) ? [chosen] : [];
  const options = [...held, ...found.value].map(({ id, name }) => [id, name] as const);
  return (
    <>
      {more.value && (
        <div
          onInput={({ target }) => {
            clearTimeout(timer.current);
            const search = (target as HTMLInputElement).value.trim();
            timer.current = setTimeout(() => void read(search).catch(() => undefined), PAUSE_MS);
          }}
        >
          <Input label={t('product.search')} name="productSearch" type="search" />
        </div>
      )}
      <Select
        label={t('sale.product')}
        name="productId"
        value={value.value}
        options={[['', t('product.choose')], ...options]}
        onChoose={(id) => (value.value = id)}
        error={error}
        now={now}
      />
    </>
  );
}
