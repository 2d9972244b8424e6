// A sale as a file for calendars, made in the page.
import type { Sale } from './machine/facts';

const escape = (text: string) => text.replace(/[\\;,]/g, (sign) => `\\${sign}`).replace(/\r?\n/g, '\\n');
const utc = (moment: string) => new Date(moment).toISOString().replace(/[-:]|\.\d{3}/g, '');

function calendar(sale: Sale, origin: string, shop: string): string {
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    `PRODID:-//${escape(shop)}//EN`,
    'BEGIN:VEVENT',
    `UID:${sale.id}`,
    `DTSTAMP:${utc(sale.startsAt)}`,
    `DTSTART:${utc(sale.startsAt)}`,
    `DTEND:${utc(sale.endsAt)}`,
    `SUMMARY:${escape(sale.product?.name ?? shop)}`,
    `URL:${origin}/sales/${encodeURIComponent(sale.id)}`,
    'BEGIN:VALARM',
    'ACTION:DISPLAY',
    `DESCRIPTION:${escape(sale.product?.name ?? shop)}`,
    'TRIGGER:-PT5M',
    'END:VALARM',
    'END:VEVENT',
    'END:VCALENDAR',
    '',
  ];
  return lines.join('\r\n');
}

/** Hands the file to the browser. */
export function save(sale: Sale, shop: string): void {
  const url = URL.createObjectURL(new Blob([calendar(sale, location.origin, shop)], { type: 'text/calendar' }));
  const link = Object.assign(document.createElement('a'), { href: url, download: 'sale.ics' });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}
