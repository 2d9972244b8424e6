// How long to wait before the next attempt.

/** `first × 2ⁿ` up to `most`, times something between 1 − spread and 1 + spread. */
export function backoff(n: number, first: number, most: number, spread: number, random: () => number = Math.random): number {
  return Math.min(first * 2 ** Math.min(n, 30), most) * (1 - spread + 2 * spread * random());
}
