// npm `eventsource`, the browser's `EventSource`: it only reads, asks again whenever a stream ends, and stops for 204.
import { EventSource } from 'eventsource'

export const name = 'eventsource'
export const transport = 'HTTP + SSE'

export function connect({ http, token }) {
  const authorization = `Bearer ${token}`
  const request = async (query, variables) => {
    const headers = { authorization, 'content-type': 'application/json' }
    const answer = await fetch(http, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })
    const { data, errors } = await answer.json()
    if (errors) throw new Error(JSON.stringify(errors))
    return data
  }
  const watch = (query, variables, next) =>
    new Promise((resolve, reject) => {
      const url = `${http}?${new URLSearchParams({ query, variables: JSON.stringify(variables) })}`
      // From a version on it would get what is newer; the scenario wants to see the same picture again.
      const send = (to, { headers: { 'Last-Event-ID': id, ...headers }, ...init }) => {
        const last = id?.endsWith(':complete') ? { 'last-event-id': id } : {}
        return fetch(to, { ...init, headers: { ...headers, ...last, authorization } })
      }
      const source = new EventSource(url, { fetch: send })
      let complete = false
      source.addEventListener('next', ({ data }) => {
        const { data: picture, errors } = JSON.parse(data)
        if (errors) reject(new Error(JSON.stringify(errors)))
        else if (complete) reject(new Error('the server begins again after complete'))
        else next(picture)
      })
      source.addEventListener('complete', () => (complete = true))
      // The end is the answer 204 to its next question.
      source.addEventListener('error', ({ code }) => {
        if (source.readyState !== EventSource.CLOSED) return
        if (complete && code === 204) resolve()
        else reject(new Error(`closed by ${code}`))
      })
    })
  return { request, watch, close: () => {} }
}
