// How large pictures are shown, in CSS pixels: the style sheets have the same sizes, and the server has files for up to twice of each.

/** In a line of a table. */
export const IN_TABLE_PX = 48;
/** In a line of a list of orders. */
export const IN_LINE_PX = 64;
/** Beside the facts of an order, or of a form. */
export const BESIDE_PX = 96;
/** Beside the facts of a sale in the control room. */
export const IN_FACTS_PX = 120;
/** The whole width of a card, where there is room for several of them in a row. */
export const CARD_PX = 280;
/** The place that a card reserves before its picture has come. */
export const CARD_PLACE_PX = 160;
/** From this width of the window on, cards stand beside each other. */
export const CARDS_FROM_PX = 600;
/** On the page of a sale. */
export const WHOLE_PX = 480;

/** Files of pictures that the shop takes. */
export const UPLOAD_BYTES_MAX = 2 * 1024 * 1024;
export const UPLOAD_TYPES = ['image/jpeg', 'image/png', 'image/webp'] as const;
/** Their sides in pixels, and how much longer one may be than the other. */
export const SIDE_PX = { least: 16, most: 4_096, ratio: 4 } as const;
