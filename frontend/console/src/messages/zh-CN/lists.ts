export default {
  'now.more': '只显示并计入前 {n} 个，其余见排期。',
  'sale.opensIn': '{timer} 后开售',
};
