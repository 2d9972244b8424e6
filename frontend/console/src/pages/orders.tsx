// Orders: found by anything that a buyer can read out.
import { t } from '../i18n';
import { Lookup } from '../lookup';
import { Heading } from '../page';

export default function Orders() {
  return (
    <>
      <Heading title={t('nav.orders')} hint={t('orders.audited')} />
      <Lookup />
    </>
  );
}
