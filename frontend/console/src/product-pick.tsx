// Which product a sale sells: found by its name.
import { signal, useSignal } from '@preact/signals';
import ConsoleSales from '@documents/ConsoleSales.graphql';
import { useEffect } from 'preact/hooks';
import { send } from './app';
import { t } from './i18n';
import { Select } from './ui/inputs';

export interface Pick {
  id: string;
  name: string;
}

/** Products that this page has made or met. */
export const met = signal<readonly Pick[]>([]);

export function meet(...products: Pick[]): void {
  const fresh = products.filter(({ id }) => !met.peek().some((one) => one.id === id));
  if (fresh.length > 0) met.value = [...fresh, ...met.peek()];
}

interface Props {
  chosen: Pick | undefined;
  error: string | undefined;
  now: string | undefined;
}

export function ProductPick({ chosen, error, now }: Props) {
  const ready = useSignal(false);
  useEffect(() => {
    const read = async () => {
      const { sales } = await send(ConsoleSales, {});
      meet(...sales.nodes.flatMap(({ product }) => (product ? [product] : [])));
    };
    void read().catch(() => undefined).then(() => (ready.value = true));
  }, []);
  void ready.value;
  const all = chosen && !met.value.some(({ id }) => id === chosen.id) ? [chosen, ...met.value] : met.value;
  const options = [...(chosen ? [] : [['', t('product.choose')] as const]), ...all.map(({ id, name }) => [id, name] as const)];
  return <Select label={t('sale.product')} name="productId" value={chosen?.id ?? ''} options={options} error={error} now={now} />;
}
