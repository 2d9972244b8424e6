// The signs of the navigation; the words beside them say the same.
const PATHS = {
  now: 'M2.5 10.5h3l2.5-6 4 11 2.5-5h3',
  schedule: 'M3 5h14v12H3zM3 8.5h14M7 3v4M13 3v4',
  products: 'M10 2.5l7 3.5v8l-7 3.5L3 14V6zM3 6l7 3.5L17 6M10 9.5v8',
  orders: 'M5 2.5h10v15l-2.5-1.5L10 17.5l-2.5-1.5L5 17.5zM7.5 7h5M7.5 10.5h5',
  money: 'M2.5 5.5h15v9h-15zM10 7.5a2.5 2.5 0 100 5 2.5 2.5 0 000-5z',
  users: 'M10 3.5a3 3 0 100 6 3 3 0 000-6zM4 17c0-3.5 2.5-5 6-5s6 1.5 6 5',
  failures: 'M10 2.5l8 14.5H2zM10 8v4M10 14.300v.2',
  audit: 'M4 3h12v14H4zM7 7h6M7 10h6M7 13h3',
  signIns: 'M8 3h8v14H8M3 10h8M8.5 7l3 3-3 3',
  nodes: 'M3 4h14v4.5H3zM3 11.5h14V16H3zM6 6.300v.1M6 13.800v.1',
  settings: 'M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4',
} as const;

export type SignName = keyof typeof PATHS;

export const Sign = ({ name }: { name: SignName }) => (
  <svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
    <path d={PATHS[name]} />
  </svg>
);
