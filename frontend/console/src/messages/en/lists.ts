// Texts of lists and their filters.
export default {
  'now.more': 'The first {n} are shown and counted; the others are in the schedule.',
  'sale.opensIn': 'opens in {timer}',
};
