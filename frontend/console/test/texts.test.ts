import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, type GraphQLEnumType } from 'graphql';
import { describe, expect, it } from 'vitest';
import enCommon from '../src/messages/en';
import enReport from '../src/messages/en/report';
import enSettings from '../src/messages/en/settings';
import zhCommon from '../src/messages/zh-CN';
import zhReport from '../src/messages/zh-CN/report';
import zhSettings from '../src/messages/zh-CN/settings';

const en: Record<string, string> = { ...enCommon, ...enReport, ...enSettings };
const zh: Record<string, string> = { ...zhCommon, ...zhReport, ...zhSettings };
const source = join(import.meta.dirname, '../src');
const documents = join(import.meta.dirname, '../../documents');
const schema = buildSchema(readFileSync(process.env.SCHEMA ?? join(import.meta.dirname, '../../../schema/schema.graphql'), 'utf8'));

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name) && !name.startsWith('messages'))
  .map((name) => readFileSync(join(source, name), 'utf8'));
const namesIn = (text: string) => new Set([...text.matchAll(/\{(\w+)/g)].map(([, name]) => name));
const valuesOf = (name: string) => (schema.getType(name) as GraphQLEnumType).getValues().map(({ name: value }) => value);

describe('texts', () => {
  it('have the same keys and places in both languages', () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(zh)) {
      for (const name of namesIn(text)) expect(namesIn(en[key] ?? ''), key).toContain(name);
    }
  });

  it('are not much longer in Chinese, and have its punctuation', () => {
    for (const [key, text] of Object.entries(zh)) {
      if (key.startsWith('shell.language')) continue;
      expect(text.length, key).toBeLessThanOrEqual(Math.max(8, (en[key]?.length ?? 0) * 2.2));
      if (/[\u4e00-\u9fff]/.test(text)) expect(text, key).not.toMatch(/[\u4e00-\u9fff][,!?:;](\s|$)/);
      expect(text, key).not.toContain('您');
    }
  });

  it('do not cheer, apologise or hurry', () => {
    for (const [key, text] of Object.entries(en)) {
      expect(text, key).not.toContain('!');
      expect(text, key).not.toMatch(/\b(oops|sorry|hurry|please)\b/i);
    }
  });

  it('exist for each key that the source names, and are said somewhere', () => {
    const all = files.join('\n');
    for (const [, key] of all.matchAll(/\bt\('([\w.]+)'/g)) expect(Object.keys(en)).toContain(key);
    const made = [...all.matchAll(/`([\w.]*)\$\{/g)].map(([, prefix]) => prefix).filter((prefix) => prefix?.includes('.'));
    for (const key of Object.keys(en)) {
      const said = all.includes(`'${key}'`) || made.some((prefix) => key.startsWith(prefix ?? '-'));
      expect(said, `${key} is said nowhere`).toBe(true);
    }
  });

  it('exist for each code that the documents can be answered with', () => {
    const used = new Set(files.flatMap((text) => [...text.matchAll(/@documents\/(\w+)\.graphql/g)].map(([, name]) => name)));
    let codes = 0;
    for (const name of used) {
      const text = readFileSync(join(documents, `${name}.graphql`), 'utf8');
      const [, field] = /^mutation[^{]*\{\s*(\w+)/m.exec(text) ?? [];
      if (!field || !text.includes('code message')) continue;
      const payload = schema.getMutationType()?.getFields()[field]?.type.toString().replace('!', '') ?? '';
      const error = payload.replace('Payload', 'ErrorCode');
      if (error === 'UserSignOutErrorCode') continue;
      for (const code of valuesOf(error)) {
        expect(en[`code.${code}`], code).toBeTruthy();
        codes += 1;
      }
    }
    expect(codes).toBeGreaterThan(60);
  });

  it('exist for each outcome of a sign-in', () => {
    const field = schema.getType('SignInAttempt');
    const about = field && 'getFields' in field ? field.getFields().outcome?.description : undefined;
    const outcomes = [...(about ?? '').matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name);
    expect(outcomes.length).toBeGreaterThan(8);
    for (const outcome of outcomes) expect(en[`outcome.${outcome}`], outcome).toBeTruthy();
  });

  it('exist for each state that the schema knows', () => {
    const enums: [string, string][] = [
      ['SaleStatus', 'sale.status'],
      ['SaleSessionStatus', 'session.status'],
      ['OrderStatus', 'order.status'],
      ['PaymentStatus', 'payment.status'],
      ['RefundStatus', 'refund.status'],
      ['PaymentMethod', 'method'],
      ['PaymentFlag', 'flag'],
      ['PaymentRefundCause', 'cause'],
      ['BillDifferenceKind', 'bill.kind'],
      ['PurchaseAnswerCode', 'pulse.answer'],
      ['PulseAlertCode', 'pulse.alert'],
      ['SettingChangeAct', 'settings.act'],
      ['SaleReportStatus', 'report.verdict'],
      ['SaleReportCheckCode', 'report.check'],
      ['SaleReportCheckStatus', 'report.status'],
      ['SaleReportCheckCause', 'report.cause'],
    ];
    for (const [type, prefix] of enums) for (const value of valuesOf(type)) expect(en[`${prefix}.${value}`], value).toBeTruthy();
  });
});
