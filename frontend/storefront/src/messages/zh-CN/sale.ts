import type { SaleMessages } from '../en/sale';

const zh: SaleMessages = {
  'state.loading.title': '正在加载…',
  'state.missing.title': '没有这个抢购。',
  'state.missing.body': '可能已被移除，或网址有误。',
  'buy.allSales': '全部抢购',
  'pay.points.amount': '{points} 积分',
  'pay.or': '{price} 或 {points}',
  'sale.back': '{time} 场',
  'sale.picture': '{name} 的图片',
  'sale.know': '购买须知',
  'sale.know.pay': '请在 {span}内支付，未支付的商品会放回。',
  'sale.know.alipay': '支付宝支付。',
  'sale.know.points': '支付宝或积分支付。',
  'sale.know.onlyPoints': '积分支付。',
  'sale.know.refund': '可一键全额退款。',
  'sale.know.late': '到账过晚或重复的款项会自动退回。',
  'sale.know.order': '按到达商店的先后顺序处理每个人的点击。',
};

export default zh;
