// A new sale in a session, or the edit of a draft.
import { useSignal } from '@preact/signals';
import ConsoleSale from '@documents/ConsoleSale.graphql';
import SaleCreate from '@documents/SaleCreate.graphql';
import SaleUpdate from '@documents/SaleUpdate.graphql';
import type { SaleCreateInput, SaleUpdateInput } from '@kit/generated/operations';
import { saleAddress } from './addresses';
import { done, f, send } from './app';
import { auditOf } from './audit-link';
import { creation, differences, edit, FIELDS, readTerms, termsOf, type Draft, type Terms } from './draft';
import { t } from './i18n';
import { ProductPick } from './product-pick';
import { go } from './router';
import { problemText } from './trouble';
import { ActDialog, type Reading } from './ui/act-dialog';
import { Check, Input, Select } from './ui/inputs';

interface Props {
  session: { id: string; name: string | null; startsAt: string; endsAt: string };
  sale?: Draft & { id: string };
  onClose: () => void;
}

const CURRENCIES = ['CNY', 'EUR', 'USD'] as const;

/** What an empty form is filled with; the server's own defaults. */
const NEW = { pointsPrice: null, limitPerBuyer: 1, payWithinSeconds: 900, returnsOnRefund: true };

export function SaleForm({ session, sale, onClose }: Props) {
  // What the form was filled with, whatever is read of the draft while it is open.
  const base = useSignal<(Draft & { id: string }) | undefined>(sale).peek();
  const latest = useSignal<Draft | undefined>(undefined);
  const from = base && termsOf(base);
  const theirs = latest.value && termsOf(latest.value);
  const changed = from && theirs ? differences(from, theirs) : [];
  const now = (name: keyof Terms) =>
    theirs && changed.includes(name) ? t('sale.now', { value: say(name, theirs, latest.value) }) : undefined;

  const read = (form: FormData): Reading<SaleCreateInput | SaleUpdateInput> => {
    const { terms, errors } = readTerms(form);
    if (errors) {
      const said = Object.entries(errors).map(([name, code]) => [name, problemText({ code, message: code })]);
      return { errors: Object.fromEntries(said) };
    }
    if (!base || !from) return { input: creation(session.id, terms) };
    const input = edit(base.id, (latest.peek() ?? base).version, from, terms);
    return input ? { input } : { errors: { productId: t('form.unchanged') } };
  };

  return (
    <ActDialog
      title={t(base ? 'sale.edit' : 'sale.create')}
      does={base ? t('sale.edit.does', { version: base.version }) : t('sale.create.does', { session: sessionName(session) })}
      shoppers={t('sale.draft.shoppers')}
      button={latest.value ? t('sale.saveOver', { version: latest.value.version }) : t(base ? 'sale.save' : 'sale.create')}
      rules={{ fields: FIELDS }}
      repeatable={Boolean(base)}
      read={read}
      send={async (input) => {
        if ('saleId' in input) return (await send(SaleUpdate, { input })).saleUpdate.userErrors;
        const { sale: made, userErrors } = (await send(SaleCreate, { input: input as SaleCreateInput })).saleCreate;
        if (made) go(saleAddress(made.id));
        return userErrors;
      }}
      onDone={() => {
        done.value = { text: t(base ? 'sale.edit.done' : 'sale.create.done'), href: base && auditOf(base.id) };
        onClose();
      }}
      onClose={onClose}
      onConflict={() => {
        if (base) void send(ConsoleSale, { id: base.id }).then(({ sale: fresh }) => (latest.value = fresh ?? undefined), () => undefined);
      }}
    >
      {(error) => (
        <>
          <ProductPick
            chosen={base?.product ?? undefined}
            error={error('productId')}
            now={now('productId')}
          />
          <div class="pair">
            <Input
              label={t('sale.price')}
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
          <div class="pair">
            <Input
              label={t('sale.stock')}
              name="stock"
              mode="numeric"
              value={base ? String(base.stockTotal) : ''}
              error={error('stock')}
              now={now('stock')}
            />
            <Input
              label={t('sale.limit')}
              name="limitPerBuyer"
              mode="numeric"
              value={String((base ?? NEW).limitPerBuyer)}
              error={error('limitPerBuyer')}
              now={now('limitPerBuyer')}
            />
          </div>
          <div class="pair">
            <Input
              label={t('sale.payWithin')}
              name="payWithinSeconds"
              mode="numeric"
              suffix={t('form.seconds')}
              value={String((base ?? NEW).payWithinSeconds)}
              error={error('payWithinSeconds')}
              now={now('payWithinSeconds')}
            />
            <Input
              label={t('sale.pointsPrice')}
              name="pointsPrice"
              mode="numeric"
              hint={t('sale.pointsPrice.hint')}
              value={base?.pointsPrice === null || base?.pointsPrice === undefined ? '' : String(base.pointsPrice)}
              error={error('pointsPrice')}
              now={now('pointsPrice')}
            />
          </div>
          <Check
            label={t('sale.returns.label')}
            name="returnsOnRefund"
            value={(base ?? NEW).returnsOnRefund}
            now={now('returnsOnRefund')}
          />
        </>
      )}
    </ActDialog>
  );
}

const sessionName = ({ name, startsAt }: Props['session']) =>
  [f.value.moment(Date.parse(startsAt)), name].filter(Boolean).join(' · ');

function say(name: keyof Terms, terms: Terms, sale: Draft | undefined): string {
  switch (name) {
    case 'productId':
      return sale?.product?.name ?? terms.productId;
    case 'price':
      return f.value.money(terms.price);
    case 'returnsOnRefund':
      return t(terms.returnsOnRefund ? 'form.yes' : 'form.no');
    case 'pointsPrice':
      return terms.pointsPrice === null ? t('sale.noPoints') : f.value.number(terms.pointsPrice);
    case 'payWithinSeconds':
      return f.value.span(terms.payWithinSeconds * 1000);
    default:
      return f.value.number(terms[name]);
  }
}
