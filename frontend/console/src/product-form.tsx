// A new product, or the edit of one.
import { useSignal } from '@preact/signals';
import ProductCreate from '@documents/ProductCreate.graphql';
import ProductUpdate from '@documents/ProductUpdate.graphql';
import type { ProductCreateInput, ProductCreateMutation, ProductUpdateInput } from '@kit/generated/operations';
import { done, send } from './app';
import { auditOf } from './audit-link';
import { t } from './i18n';
import { minor, typedAmount } from './money';
import { meet } from './product-pick';
import { ActDialog, type Reading } from './ui/act-dialog';
import { Input, Select } from './ui/inputs';

export type Product = NonNullable<ProductCreateMutation['productCreate']['product']>;

const FIELDS = ['name', 'title', 'description', 'imageUrl', 'price'];
const CURRENCIES = ['CNY', 'EUR', 'USD'] as const;

interface Props {
  product?: Product;
  onClose: () => void;
  onDone?: (product: Product) => void;
}

export function ProductForm({ product, onClose, onDone }: Props) {
  // What the form was filled with.
  const base = useSignal<Product | undefined>(product).peek();
  const read = (form: FormData): Reading<ProductCreateInput | ProductUpdateInput> => {
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const amount = typedAmount(text('price'));
    const errors: Record<string, string> = {};
    if (!text('name')) errors.name = t('form.required');
    if (minor(amount) === undefined) errors.price = t('code.PRICE_INVALID');
    if (Object.keys(errors).length > 0) return { errors };
    const fields = {
      name: text('name'),
      title: text('title') || null,
      description: text('description') || null,
      imageUrl: text('imageUrl') || null,
      price: { amount, currencyCode: text('currency') as (typeof CURRENCIES)[number] },
    };
    if (!base) return { input: fields };
    return { input: { ...fields, productId: base.id, version: base.version } };
  };
  return (
    <ActDialog
      title={t(base ? 'product.edit' : 'product.create')}
      does={base && t('product.edit.does', { version: base.version })}
      shoppers={base && t('product.edit.shoppers')}
      button={t(base ? 'product.save' : 'product.create')}
      rules={{ fields: FIELDS }}
      repeatable={Boolean(base)}
      read={read}
      send={async (input) => {
        const { product: made, userErrors } =
          'productId' in input
            ? (await send(ProductUpdate, { input })).productUpdate
            : (await send(ProductCreate, { input: input as ProductCreateInput })).productCreate;
        if (made) {
          meet(made);
          onDone?.(made);
          done.value = { text: t(base ? 'product.edit.done' : 'product.create.done', { name: made.name }), href: auditOf(made.id) };
        }
        return userErrors;
      }}
      onDone={onClose}
      onClose={onClose}
    >
      {(error) => (
        <>
          <Input label={t('product.name')} name="name" value={base?.name ?? ''} error={error('name')} maxLength={200} first />
          <Input
            label={t('product.title')}
            name="title"
            hint={t('product.title.hint')}
            value={base?.title ?? ''}
            error={error('title')}
            maxLength={200}
          />
          <div class="pair">
            <Input
              label={t('product.price')}
              name="price"
              mode="decimal"
              value={base?.price.amount ?? ''}
              error={error('price')}
            />
            <Select
              label={t('form.currency')}
              name="currency"
              value={base?.price.currencyCode ?? 'CNY'}
              options={CURRENCIES.map((one) => [one, one] as const)}
            />
          </div>
          <Input
            label={t('product.imageUrl')}
            name="imageUrl"
            hint={t('product.imageUrl.hint')}
            value={base?.imageUrl ?? ''}
            error={error('imageUrl')}
          />
          <Input
            label={t('product.description')}
            name="description"
            value={base?.description ?? ''}
            error={error('description')}
            lines={4}
          />
        </>
      )}
    </ActDialog>
  );
}
