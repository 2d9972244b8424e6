import { shop } from './app';
import type { Sale } from './machine/facts';

/** How this sale can be paid. */
export const methodsOf = (sale: Sale) => {
  const methods = shop.value?.paymentMethods ?? ['ALIPAY'];
  return { alipay: methods.includes('ALIPAY'), points: methods.includes('POINTS') && sale.pointsPrice !== null };
};
