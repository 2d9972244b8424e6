// Texts of a sale's page. This file is the type: the other languages have the same keys, or do not compile.
const en = {
  'state.loading.title': 'Loading the sale…',
  'state.missing.title': 'This sale does not exist.',
  'state.missing.body': 'It may have been removed, or the address is wrong.',
  'buy.allSales': 'All sales',
  'pay.points.amount': '{points} points',
  'pay.or': '{price} or {points}',
  'sale.back': 'Sales of {time}',
  'sale.picture': 'Picture of {name}',
  'sale.know': 'What to know',
  'sale.know.pay': 'Pay within {span}; unpaid units come back into the sale.',
  'sale.know.alipay': 'Paid with Alipay.',
  'sale.know.points': 'Paid with Alipay or with points.',
  'sale.know.onlyPoints': 'Paid with points.',
  'sale.know.refund': 'Refunds: in full, with one button.',
  'sale.know.late': 'Payments that arrive late or twice are refunded automatically.',
  'sale.know.order': 'Purchases are decided in the order in which they reach the shop.',
} as const;

export type SaleMessages = Record<keyof typeof en, string>;
export default en as SaleMessages;
