import { f } from './app';
import { t } from './i18n';

interface Money {
  amount: string;
  currencyCode: string;
}

export function Prices({ price, was }: { price: Money; was: Money | null }) {
  const cheaper = was && Number(was.amount) > Number(price.amount);
  return (
    <span class="prices">
      <span class="unseen">{t('home.price')} </span>
      <span class="price number">{f.value.money(price)}</span>
      {cheaper && (
        <>
          <span class="unseen"> {t('home.wasPrice')} </span>
          <s class="was number">{f.value.money(was)}</s>
        </>
      )}
    </span>
  );
}

