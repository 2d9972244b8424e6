// The catalogue.
import { useSignal } from '@preact/signals';
import { Button, Empty, Picture } from '@kit/ui';
import { f } from '../app';
import { t } from '../i18n';
import { Heading } from '../page';
import { ProductForm, type Product } from '../product-form';
import { Table, type Column } from '../ui/table';

export default function Products() {
  const creating = useSignal(false);
  const editing = useSignal<Product | undefined>(undefined);
  const made = useSignal<readonly Product[]>([]);
  const keep = (product: Product) => (made.value = [product, ...made.peek().filter(({ id }) => id !== product.id)]);
  return (
    <>
      <Heading title={t('nav.products')}>
        <Button kind="primary" onPress={() => (creating.value = true)}>
          {t('product.create')}
        </Button>
      </Heading>
      <ProductTable products={made.value} onEdit={(product) => (editing.value = product)} />
      {creating.value && <ProductForm onDone={keep} onClose={() => (creating.value = false)} />}
      {editing.value && <ProductForm product={editing.value} onDone={keep} onClose={() => (editing.value = undefined)} />}
    </>
  );
}

export function ProductTable({ products, onEdit }: { products: readonly Product[]; onEdit: (product: Product) => void }) {
  const columns: Column<Product>[] = [
    { id: 'picture', title: '', cell: ({ imageUrl }) => <Picture src={imageUrl} size={48} lazy /> },
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
          <Button label={`${t('product.edit')}: ${product.name}`} onPress={() => onEdit(product)}>
            {t('product.edit.short')}
          </Button>
        </span>
      ),
    },
  ];
  if (products.length === 0) return <Empty title={t('product.none')} />;
  return <Table caption={t('nav.products')} columns={columns} rows={products} id={({ id }) => id} />;
}
