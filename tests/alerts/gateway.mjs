// The payment gateway of a drill: the sandbox, and a merchant who acts on the gateway's own site.
import { createSign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { kill, start, until } from './processes.mjs'

/** What a shop must know of it, from the line that it prints. */
const SETTINGS = ['alipay_url', 'alipay_app_id', 'alipay_seller_id', 'alipay_private_key_file', 'alipay_public_key_file']
/** How long it may take to start, in milliseconds: it makes keys. */
const STARTS_WITHIN = 60_000

/** The time in the gateway's zone. */
export const localTime = () => new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ')

export class Gateway {
  constructor(program, keys, port) {
    Object.assign(this, { program, keys, port })
  }

  /** Starts it, or starts it again with what it knew. */
  async start() {
    const args = ['--listen', `127.0.0.1:${this.port}`, '--keys', this.keys, '--state', `${this.keys}.json`, '--speed', '1000']
    this.process = start(this.program, args)
    const line = await until('the gateway says where it is', () => this.process.said().includes('\n') && this.process.said(), STARTS_WITHIN)
    this.info = JSON.parse(line.split('\n')[0])
  }

  settings() {
    return Object.fromEntries(SETTINGS.map((name) => [`payments.${name}`, this.info[name]]))
  }

  kill = () => kill(this.process)

  /** Opens a payment page as a browser does; the trade exists from then on. Its number. */
  async open(page) {
    await (await fetch(page)).text()
    return JSON.parse(new URL(page).searchParams.get('biz_content')).out_trade_no
  }

  async act(number, act) {
    const answer = await fetch(`${this.info.listening}/sandbox/trades/${number}/${act}`, { method: 'POST' })
    if (!answer.ok) throw new Error(`${act}: ${await answer.text()}`)
  }

  async fault(fault) {
    await fetch(`${this.info.listening}/sandbox/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(fault),
    })
  }

  /** Takes away what goes wrong with a trade. */
  async mend(number) {
    await fetch(`${this.info.listening}/sandbox/faults?number=${number}`, { method: 'DELETE' })
  }

  /** The address of a call that the merchant signs. */
  signed(method, business) {
    const parameters = {
      app_id: this.info.alipay_app_id,
      method,
      format: 'JSON',
      charset: 'utf-8',
      sign_type: 'RSA2',
      timestamp: localTime(),
      version: '1.0',
      biz_content: JSON.stringify(business),
    }
    const text = Object.keys(parameters).sort().map((name) => `${name}=${parameters[name]}`).join('&')
    const key = readFileSync(this.info.alipay_private_key_file, 'utf8')
    const sign = createSign('RSA-SHA256').update(text).sign(key, 'base64')
    return `${this.info.alipay_url}?${new URLSearchParams({ ...parameters, sign })}`
  }

  /** A payment of which the shop knows nothing. */
  async strangersPayment() {
    const number = `x${Date.now()}`
    const business = { out_trade_no: number, total_amount: '9.90', subject: 'A lamp', product_code: 'FAST_INSTANT_TRADE_PAY' }
    await this.open(this.signed('alipay.trade.page.pay', business))
    await this.act(number, 'pay')
  }

  /** A refund on the gateway's own site. */
  async refundOutside(number) {
    const business = { out_trade_no: number, refund_amount: '9.90', out_request_no: `outside-${Date.now()}` }
    const answer = await (await fetch(this.signed('alipay.trade.refund', business))).text()
    if (!answer.includes('"10000"')) throw new Error(answer)
  }
}
