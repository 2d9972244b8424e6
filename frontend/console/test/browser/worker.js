// Does one flow after the other as run.js says.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { work } from '../../../storefront/test/browser/working.js';
import { flows } from './all.js';

const documents = join(import.meta.dirname, '../../../documents');
/** One flow's longest time. */
const FLOW_MS = 150_000;

/** Documents for operators only, with variables. */
const FORBIDDEN = {
  StuckPayments: {},
  Payments: {},
  Refunds: {},
  ShopPause: { input: { reason: 'not mine to stop' } },
  ShopResume: { input: { reason: 'not mine to resume' } },
  BillDifferences: { open: true },
  PaymentLookup: { id: '1001-1-000001' },
  RefundLookup: { id: 'refund_1' },
  Products: {},
  OrderSearch: {},
  Users: {},
  AuditEntries: {},
  SignInAttempts: {},
  Failures: {},
  Settings: {},
  SettingChanges: {},
  SettingNodes: {},
  SettingSet: { input: { key: 'points.welcome', value: '1', reason: 'not mine to set' } },
  SettingUnset: { input: { key: 'points.welcome', reason: 'not mine to remove' } },
  SettingRollback: { input: { revision: 1, reason: 'not mine to roll back' } },
  SettingPromote: { input: { revision: 1, reason: 'not mine to promote' } },
  SettingConfirm: { input: { revision: 1, reason: 'not mine to confirm' } },
  ServerNodes: {},
  Queues: {},
  Pulses: { seconds: 1 },
  SalePulses: { seconds: 1, saleId: 'sale_1' },
  BooksAudit: {},
  SaleReport: { id: 'sale_1' },
};

function prepare(shop) {
  /** A sale that is not published. */
  shop.draft = async ({ name, stock }) => {
    const price = { amount: '79.00', currencyCode: 'CNY' };
    const productId = await shop.act('productCreate', 'ProductCreateInput', 'product', { name, price });
    const startsAt = new Date(Date.now() + 3_600_000).toISOString();
    const sessionId = await shop.act('saleSessionCreate', 'SaleSessionCreateInput', 'session', { name, startsAt });
    const id = await shop.act('saleCreate', 'SaleCreateInput', 'sale', { sessionId, productId, price, stock });
    return { id, path: `/sales/${id}` };
  };
  /** Documents for operators only, by id, with variables. */
  shop.forbidden = Object.fromEntries(
    Object.entries(FORBIDDEN).map(([name, variables]) => {
      const text = readFileSync(join(documents, `${name}.graphql`));
      return [`sha256:${createHash('sha256').update(text).digest('hex')}`, variables];
    }),
  );
}

await work({ chromium, flows, prefix: 'console', flowMs: FLOW_MS, prepare });
