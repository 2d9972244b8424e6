// A new product, or the edit of one.
import { useSignal } from '@preact/signals';
import ProductById from '@documents/ProductById.graphql';
import ProductCreate from '@documents/ProductCreate.graphql';
import ProductUpdate from '@documents/ProductUpdate.graphql';
import type { ProductCreateInput, ProductCreateMutation, ProductUpdateInput } from '@kit/generated/operations';
import { done, f, send } from './app';
import { auditOf } from './audit-link';
import { differences, edit, FIELDS, type Texts } from './catalogue';
import { t } from './i18n';
import { minor, typedAmount } from './money';
import { PictureField, type Upload } from './picture-field';
import { ActDialog, type Reading } from './ui/act-dialog';
import { Input, Select } from './ui/inputs';

export type Product = NonNullable<ProductCreateMutation['productCreate']['product']>;

const CURRENCIES = ['CNY', 'EUR', 'USD'] as const;

interface Props {
  product?: Product;
  onClose: () => void;
}

export function ProductForm({ product, onClose }: Props) {
  // What the form was filled with.
  const base = useSignal<Product | undefined>(product).peek();
  const upload = useSignal<Upload>({});
  /** What it is by now, if somebody else was faster. */
  const newest = useSignal<Product | undefined>(undefined);
  const theirs = newest.value;
  const changed = base && theirs ? differences(base, theirs) : [];
  const now = (name: keyof Texts) => {
    if (!theirs || !changed.includes(name)) return undefined;
    return t('sale.now', { value: name === 'price' ? f.value.money(theirs.price) : (theirs[name] ?? '–') });
  };
  const read = (form: FormData): Reading<ProductCreateInput | ProductUpdateInput> => {
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const amount = typedAmount(text('price'));
    const errors: Record<string, string> = {};
    if (!text('name')) errors.name = t('form.required');
    if (upload.peek().busy) errors.imageUrl = t('picture.wait');
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
    const input = edit(base.id, (newest.peek() ?? base).version, base, fields);
    return input ? { input } : { errors: { name: t('form.unchanged') } };
  };
  return (
    <ActDialog
      title={t(base ? 'product.edit' : 'product.create')}
      does={base && t('product.edit.does', { version: base.version })}
      shoppers={base && t('product.edit.shoppers')}
      button={theirs ? t('sale.saveOver', { version: theirs.version }) : t(base ? 'product.save' : 'product.create')}
      rules={{ fields: FIELDS }}
      repeatable={Boolean(base)}
      read={read}
      send={async (input) => {
        const { product: made, userErrors } =
          'productId' in input
            ? (await send(ProductUpdate, { input })).productUpdate
            : (await send(ProductCreate, { input: input as ProductCreateInput })).productCreate;
        if (made) {
          done.value = { text: t(base ? 'product.edit.done' : 'product.create.done', { name: made.name }), href: auditOf(made.id) };
        }
        return userErrors;
      }}
      onDone={onClose}
      onClose={onClose}
      onConflict={() => {
        if (!base) return;
        const take = ({ node }: { node: object | null }) => {
          if (node && 'version' in node) newest.value = node as Product;
        };
        void send(ProductById, { id: base.id }).then(take, () => undefined);
      }}
    >
      {(error) => (
        <>
          <Input
            label={t('product.name')}
            name="name"
            value={base?.name ?? ''}
            error={error('name')}
            now={now('name')}
            maxLength={200}
            first
          />
          <Input
            label={t('product.title')}
            name="title"
            hint={t('product.title.hint')}
            value={base?.title ?? ''}
            error={error('title')}
            now={now('title')}
            maxLength={200}
          />
          <div class="pair">
            <Input
              label={t('product.price')}
              name="price"
              mode="decimal"
              value={base?.price.amount ?? ''}
              error={error('price')}
              now={now('price')}
            />
            <Select
              label={t('form.currency')}
              name="currency"
              value={base?.price.currencyCode ?? 'CNY'}
              options={CURRENCIES.map((one) => [one, one] as const)}
            />
          </div>
          <PictureField
            value={base?.imageUrl ?? ''}
            error={error('imageUrl')}
            now={now('imageUrl')}
            upload={upload}
          />
          <Input
            label={t('product.description')}
            name="description"
            value={base?.description ?? ''}
            error={error('description')}
            now={now('description')}
            lines={4}
          />
        </>
      )}
    </ActDialog>
  );
}
