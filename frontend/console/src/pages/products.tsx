// The catalogue.
import { useSignal } from '@preact/signals';
import Products from '@documents/Products.graphql';
import { IN_TABLE_PX } from '@kit/pictures';
import { Button, Empty, Picture } from '@kit/ui';
import { f } from '../app';
import { t } from '../i18n';
import { Heading, More, Show, useList } from '../page';
import { ProductForm, type Product } from '../product-form';
import { For } from '../rights';
import { place } from '../router';
import { Filters } from '../ui/filters';
import { Table, type Column } from '../ui/table';

export default function ProductsPage() {
  const search = place.value.query.get('q');
  const list = useList(Products, { search }, (data) => data.products);
  const creating = useSignal(false);
  const editing = useSignal<Product | undefined>(undefined);
  return (
    <>
      <Heading title={t('nav.products')}>
        <For right="runSales">
          <Button kind="primary" onPress={() => (creating.value = true)}>
            {t('product.create')}
          </Button>
        </For>
      </Heading>
      <Filters label={t('nav.products')} filters={[{ name: 'q', label: t('product.search') }]} />
      <Show answer={list}>
        {(products) =>
          products.length === 0 ? (
            <Empty title={t(search ? 'product.noneFound' : 'product.none')} />
          ) : (
            <ProductTable products={products} onEdit={(product) => (editing.value = product)} />
          )
        }
      </Show>
      <More list={list} />
      {creating.value && <ProductForm onClose={() => (creating.value = false)} />}
      {editing.value && <ProductForm product={editing.value} onClose={() => (editing.value = undefined)} />}
    </>
  );
}

function ProductTable({ products, onEdit }: { products: readonly Product[]; onEdit: (product: Product) => void }) {
  const columns: Column<Product>[] = [
    { id: 'picture', title: t('product.imageUrl'), cell: ({ imageUrl }) => <Picture src={imageUrl} size={IN_TABLE_PX} lazy /> },
    {
      id: 'name',
      title: t('product.name'),
      head: true,
      cell: ({ name, title }) => (
        <>
          <bdi>{name}</bdi>
          {title && <span class="hint block">{title}</span>}
        </>
      ),
    },
    { id: 'price', title: t('product.price'), numeric: true, cell: ({ price }) => f.value.money(price) },
    { id: 'version', title: t('sale.version'), numeric: true, cell: ({ version }) => f.value.number(version) },
    {
      id: 'acts',
      title: t('act.acts'),
      cell: (product) => (
        <span class="acts">
          <For right="runSales">
            <Button label={`${t('product.edit.short')}: ${product.name}`} onPress={() => onEdit(product)}>
              {t('product.edit.short')}
            </Button>
          </For>
        </span>
      ),
    },
  ];
  return <Table caption={t('nav.products')} columns={columns} rows={products} id={({ id }) => id} />;
}
