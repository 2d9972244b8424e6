// Texts come in parts: those of every page first, the others with the page that says them. No file has two languages.
import type { Locale } from '@kit/i18n';
import type { BuyMessages } from './en/buy';
import type { OrderMessages } from './en/order';
import type { RestMessages } from './en/rest';
import type { SaleMessages } from './en/sale';
import type { ShopMessages } from './en/shop';

export type Messages = ShopMessages & SaleMessages & BuyMessages & OrderMessages & RestMessages;
export type Part = 'shop' | 'sale' | 'buy' | 'order' | 'rest';

type Load = () => Promise<{ default: Partial<Messages> }>;

export const load: Record<Locale, Record<Part, Load>> = {
  en: {
    shop: () => import('./en/shop'),
    sale: () => import('./en/sale'),
    buy: () => import('./en/buy'),
    order: () => import('./en/order'),
    rest: () => import('./en/rest'),
  },
  'zh-CN': {
    shop: () => import('./zh-CN/shop'),
    sale: () => import('./zh-CN/sale'),
    buy: () => import('./zh-CN/buy'),
    order: () => import('./zh-CN/order'),
    rest: () => import('./zh-CN/rest'),
  },
};
