// The sandbox gateway on a free port with keys of its own, and a buyer who pays there.
import { spawn } from 'node:child_process'
import { createSign } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'

const SAID = ['alipay_url', 'alipay_app_id', 'alipay_seller_id', 'alipay_private_key_file', 'alipay_public_key_file']

export class Sandbox {
  // The program beside `program`.
  static async start(program) {
    const folder = mkdtempSync(join(tmpdir(), 'doorbuster-sandbox-'))
    const options = ['--listen', '127.0.0.1:0', '--speed', '100000', '--keys', join(folder, 'keys')]
    const child = spawn(join(dirname(program), 'alipay-sandbox'), options, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(createInterface({ input: child.stdout }), 'line')
    return new Sandbox(child, folder, JSON.parse(line))
  }

  constructor(child, folder, info) {
    Object.assign(this, { child, folder, info })
    process.on('exit', () => this.cleanUp())
  }

  // What a shop on this port needs to take money here.
  settings(port) {
    const said = SAID.map((name) => `payments.${name}=${this.info[name]}`)
    return [...said, `payments.public_url=http://127.0.0.1:${port}`]
  }

  // Pays for a number that no shop has, on a page that the shop's key signs. The day (UTC+8) in whose bill it is.
  async payStranger(number) {
    const wire = (at) => new Date(at + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ')
    const wanted = { out_trade_no: number, total_amount: '9.90', subject: '?', product_code: 'FAST_INSTANT_TRADE_PAY' }
    const parameters = {
      app_id: this.info.alipay_app_id,
      biz_content: JSON.stringify(wanted),
      charset: 'utf-8',
      method: 'alipay.trade.page.pay',
      sign_type: 'RSA2',
      timestamp: wire(Date.now()),
      version: '1.0',
    }
    const text = Object.entries(parameters).map(([name, value]) => `${name}=${value}`).join('&')
    const sign = createSign('sha256').update(text).sign(readFileSync(this.info.alipay_private_key_file), 'base64')
    const { paidAt } = await this.pay(`${this.info.alipay_url}?${new URLSearchParams({ ...parameters, sign })}`)
    return wire(paidAt).slice(0, 10)
  }

  // Opens the page, which makes the trade, and pays; the trade.
  async pay(page) {
    await (await fetch(page)).text()
    const { out_trade_no: number } = JSON.parse(new URL(page).searchParams.get('biz_content'))
    const paid = await fetch(`${this.info.listening}/sandbox/trades/${number}/pay`, { method: 'POST' })
    const answer = await paid.json()
    if (answer.error) throw new Error(`the sandbox: ${answer.error}`)
    return answer.trade
  }

  cleanUp() {
    this.child.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}
