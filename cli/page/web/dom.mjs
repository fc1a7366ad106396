// Small helpers of all sections. Text always goes in as text, never as markup.

/**
 * Finds one element. What kind it is, only index.html says.
 * @param {string} selector
 * @returns {any}
 */
export const $ = selector => document.querySelector(selector)

/**
 * Makes an element: `class`, `title` and so on as properties, `data` for data attributes, functions as listeners.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...unknown} children
 * @returns {any}
 */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue
    if (name === 'class') made.className = value
    else if (name === 'data') Object.assign(made.dataset, value)
    else if (typeof value === 'function') made.addEventListener(name, value)
    else made.setAttribute(name, value)
  }
  made.append(...children.map(child => (child instanceof Node ? child : String(child))))
  return made
}

/**
 * Changes the text only if it is another one, so that a selection made by the reader stays.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

/** @param {number | null} n */
export const count = n => (n === null ? '–' : whole.format(n))
/** @param {number | null} n */
export const brief = n => (n === null ? '–' : Math.abs(n) < 10_000 ? whole.format(n) : compact.format(n))

const precise = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

/**
 * A measured value, written as in the sentences: three digits that mean something, all digits before the point.
 * @param {number | null | undefined} v
 */
export function value(v) {
  if (v === null || v === undefined) return '–'
  return Math.abs(v) >= 1000 ? whole.format(v) : precise.format(v)
}

/** @param {number | null} ms */
export function milliseconds(ms) {
  if (ms === null) return '–'
  if (ms < 1) return '<1 ms'
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 90_000) return `${(ms / 1_000).toFixed(1)} s`
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`
}

const two = n => String(n).padStart(2, '0')

/**
 * Local time; the day only where it is not today's.
 * @param {number} ms since 1970
 */
export function moment(ms) {
  const d = new Date(ms)
  const time = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`
  const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`
  return new Date().toDateString() === d.toDateString() ? time : `${day} ${time}`
}

/**
 * A sentence of the worker, its moments in local time.
 * @param {string} text
 */
export const told = text => text.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, iso => moment(Date.parse(iso)))

/**
 * Calls at most once in so many milliseconds; the last call is not lost.
 * @param {number} ms
 * @param {() => void} work
 */
export function atMost(ms, work) {
  let timer = null
  let last = Number.NEGATIVE_INFINITY
  return () => {
    if (timer !== null) return
    const wait = Math.max(0, last + ms - performance.now())
    timer = setTimeout(() => {
      timer = null
      last = performance.now()
      work()
    }, wait)
  }
}

/**
 * JSON of an address; throws with the server's own words.
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function ask(url, signal) {
  const response = await fetch(url, { signal })
  const body = await response.json().catch(() => ({}))
  if (!response.ok) throw new Error(body.error?.message ?? `${response.status} ${response.statusText}`)
  return body
}

/**
 * Shows why a question failed, if that was not our own doing.
 * @param {unknown} error
 * @param {(text: string) => void} show
 */
export function failed(error, show) {
  if (error instanceof Error && error.name !== 'AbortError') show(error.message)
}
