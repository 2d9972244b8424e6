// Amounts are decimal strings from the form to the server: no float on the way.

const DECIMAL = /^(\d+)(?:\.(\d+))?$/;
const PLACES = 2;

/** In the smallest unit; nothing for what is no plain decimal number above or equal to zero, or has more places. */
export function minor(amount: string): bigint | undefined {
  const [, whole = '', fraction = ''] = DECIMAL.exec(amount) ?? [];
  if (!whole || fraction.length > PLACES) return undefined;
  return BigInt(whole + fraction.padEnd(PLACES, '0'));
}

export function written(minorUnits: bigint): string {
  const digits = minorUnits.toString().padStart(PLACES + 1, '0');
  return `${digits.slice(0, -PLACES)}.${digits.slice(-PLACES)}`;
}

/** What is left of an amount after others were taken from it; nothing when that is no amount above zero. */
export function left(from: string, ...taken: (string | undefined)[]): string | undefined {
  let rest = minor(from);
  for (const one of taken) {
    const part = minor(one ?? '0');
    if (rest === undefined || part === undefined) return undefined;
    rest -= part;
  }
  return rest !== undefined && rest > 0n ? written(rest) : undefined;
}

/** What somebody has typed as an amount: spaces, a currency sign and separators of thousands are no mistake. */
export function typedAmount(text: string): string {
  const plain = text.trim().replace(/^[¥￥$€]\s*/, '').replace(/[\s_]/g, '');
  // 1,234.50 has separators; 12,50 is left alone, because it may be meant as 12.50.
  return /^\d{1,3}(,\d{3})+(\.\d+)?$/.test(plain) ? plain.replace(/,/g, '') : plain;
}

/** What somebody has typed as a whole number; nothing for what is none. */
export function typedCount(text: string): number | undefined {
  const plain = text.trim().replace(/[,，\s_]/g, '');
  if (!/^\d{1,15}$/.test(plain)) return undefined;
  return Number(plain);
}
