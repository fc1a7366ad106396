// Charts: one series with its expected band and its anomalies, and the histogram of anomalies.
import uPlot from '/uPlot.esm.js'
import { count, moment, value } from './dom.mjs'

const style = getComputedStyle(document.documentElement)
const color = name => style.getPropertyValue(name).trim()

/** Places in the data of a series chart. */
const [LOWER, UPPER, EXPECTED, VALUE, STRANGE] = [1, 2, 3, 4, 5]

const two = n => String(n).padStart(2, '0')

/** Times of day; the date where a day begins, and alone where the marks are days apart. */
function times(_, marks, _axis, _space, apart) {
  let day = ''
  return marks.map(s => {
    const d = new Date(s * 1000)
    const date = `${two(d.getMonth() + 1)}-${two(d.getDate())}`
    if (apart >= 86_400) return date
    const begins = day !== '' && day !== date
    day = date
    return begins ? date : `${two(d.getHours())}:${two(d.getMinutes())}${apart < 60 ? `:${two(d.getSeconds())}` : ''}`
  })
}

/** Six characters at most, so that none is cut off; the steps between marks are round. */
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 })
const short = (_, marks) => marks.map(v => (v === null ? null : Math.abs(v) < 10_000 ? String(v) : compact.format(v)))

/** @param {uPlot.Axis} [extra] */
const axis = (extra = {}) => ({
  stroke: () => color('--faint'),
  font: '11px system-ui, sans-serif',
  grid: { stroke: () => color('--grid'), width: 1 },
  ticks: { show: false },
  ...extra,
})

/**
 * Draws one series into an element. `series` is an answer of /api/views, `strange` the anomalies of its key by window end.
 * Returns { update, destroy }.
 */
export function seriesChart(parent, height) {
  const size = () => ({ width: Math.max(120, parent.clientWidth), height })
  /** Of counts there are no halves. */
  let whole = false
  const filter = (_, marks) => (whole ? marks.map(v => (Number.isInteger(v) ? v : null)) : marks)
  const yAxis = axis({ size: 44, space: 28, values: short, filter, grid: { stroke: () => color('--grid'), width: 1, filter } })
  const plot = new uPlot(
    {
      ...size(),
      legend: { show: false },
      // on the right as much as half a date takes
      padding: [8, 18, 0, 0],
      cursor: { drag: { x: false, y: false }, y: false, points: { size: 6 } },
      scales: { y: { range: (_, min, max) => room(min, max, whole) } },
      axes: [axis({ space: 60, size: 24, values: times }), yAxis],
      series: [
        { value: (_, s) => (s === null ? '' : new Date(s * 1000).toLocaleString()) },
        { stroke: 'transparent', points: { show: false } },
        { stroke: 'transparent', points: { show: false } },
        { stroke: () => color('--expected'), width: 1, dash: [4, 4], points: { show: false } },
        { stroke: () => color('--line'), width: 1.5, points: { show: false } },
        {
          stroke: () => color('--critical'),
          width: 0,
          // no ring: rings of windows that lie close would hide one another
          points: { show: true, size: 7, width: 0, fill: () => color('--critical') },
        },
      ],
      bands: [{ series: [UPPER, LOWER], fill: () => color('--band') }],
      hooks: { setCursor: [showValues] },
    },
    [[], [], [], [], [], []],
    parent,
  )
  const tip = document.createElement('div')
  tip.className = 'tip'
  tip.hidden = true
  plot.over.append(tip)

  function showValues(u) {
    const i = u.cursor.idx
    tip.hidden = i === null || i === undefined || u.data[VALUE][i] === null
    if (tip.hidden) return
    const [seen, low, high] = [VALUE, LOWER, UPPER].map(s => u.data[s][i])
    const expected = low === null && high === null ? '' : `, expected ${text(low) || '…'} to ${text(high) || '…'}`
    tip.textContent = `${new Date(u.data[0][i] * 1000).toLocaleTimeString()}  ${text(seen)}${expected}`
    tip.classList.toggle('left', u.cursor.left > u.over.clientWidth / 2)
  }

  return {
    update(data) {
      whole = data[VALUE].every(v => v === null || Number.isInteger(v))
      plot.setData(data)
    },
    resize() {
      plot.setSize(size())
    },
    destroy() {
      plot.destroy()
    },
  }
}

const text = v => (v === null || v === undefined ? '' : value(v))

/**
 * A little room above and below; a series that hardly moves lies in the middle, as the line that it is.
 * @param {number | null} min
 * @param {number | null} max
 * @param {boolean} whole of counts at least one more and one less
 * @returns {[number, number]}
 */
function room(min, max, whole) {
  if (min === null || max === null) return [0, 1]
  const least = Math.max(whole ? 2 : 0, 0.02 * Math.max(Math.abs(min), Math.abs(max))) || 1
  const span = Math.max(max - min, least)
  const middle = (min + max) / 2
  return [middle - span * 0.62, middle + span * 0.62]
}

/**
 * Columns of a series chart: times in seconds, band, expectation, value, and the value where it is strange. A hole in time becomes
 * a hole in the line. `strange` is a set of window ends; of several detectors the first that expects something gives the band.
 */
export function chartData(series, column, slide, strange) {
  const band = Object.entries(series.bands).find(([name]) => name.endsWith(`.${column}`))?.[1]
  const data = [[], [], [], [], [], []]
  const values = series.columns[column] ?? []
  let before = null
  series.window_end.forEach((end, i) => {
    if (before !== null && end - before > 1.5 * slide) push(data, before + slide, null, null, null, null, null)
    const v = values[i]
    push(data, end, band?.lower[i], band?.upper[i], band?.expected[i], v, strange.has(end) ? v : null)
    before = end
  })
  // where only one side is bounded, the band ends at the values
  if (band) fillOpenSide(data)
  return data
}

function push(data, end, ...values) {
  data[0].push(end / 1000)
  values.forEach((v, i) => {
    data[i + 1].push(v ?? null)
  })
}

function fillOpenSide(data) {
  const known = s => data[s].some(v => v !== null)
  const seen = data[VALUE].filter(v => v !== null)
  const fill = (open, other, edge) => {
    data[open] = data[other].map(v => (v === null ? null : edge))
  }
  if (!known(LOWER) && known(UPPER)) fill(LOWER, UPPER, Math.min(...seen))
  else if (!known(UPPER) && known(LOWER)) fill(UPPER, LOWER, Math.max(...seen))
}

export const markersIn = data => data[STRANGE].filter(v => v !== null).length
export const hasBand = data => data[EXPECTED].some(v => v !== null) || data[UPPER].some(v => v !== null)

/**
 * The line above a chart: whether something in it is strange, and where.
 * @param {import('../series').Series} series
 * @param {readonly import('../anomalies').AnomalyRow[]} own latest first
 * @param {string} column
 * @param {number} markers
 * @param {readonly { readonly type: string }[]} detectors that watch the view
 */
export function noteOf(series, own, column, markers, detectors) {
  if (series.window_end.length === 0) return 'no windows'
  if (own.length === 0) {
    if (detectors.length === 0) return 'watched by no detector'
    // a rule expects nothing; what learns expects something once it is warm
    const warm = detectors.some(d => d.type === 'threshold') || Object.keys(series.bands).length > 0
    return warm ? 'as expected' : 'nothing expected yet: still learning'
  }
  // several detectors may find the same one strange
  const n = new Set(own.map(a => a.window_end)).size
  const windows = n === 1 ? '1 strange window' : `${count(n)} strange windows`
  const [{ feature, window_end }] = own
  const where = feature !== null && feature !== column ? `, in ${feature}` : markers === 0 ? ', outside this chart' : ''
  return `${windows}, the last at ${moment(window_end)}${where}`
}

/** Bars of counts over time; dragging calls `onSelect(from, to)` in milliseconds. Returns { update }. */
export function histogram(parent, onSelect) {
  const bars = uPlot.paths.bars?.({ size: [0.9, 40], align: 1 })
  const size = () => ({ width: Math.max(120, parent.clientWidth), height: 96 })
  const series = (label, name) => ({
    label,
    paths: bars,
    stroke: () => color(name),
    fill: () => color(name),
    points: { show: false },
  })
  const plot = new uPlot(
    {
      ...size(),
      legend: { show: false },
      padding: [8, 16, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
      scales: { y: { range: (_, _min, max) => [0, Math.max(1, max) * 1.08] } },
      axes: [
        axis({ size: 24, space: 60, values: times }),
        axis({ size: 44, space: 24, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], grid: { show: false } }),
      ],
      series: [{}, series('all', '--warning'), series('critical', '--critical')],
      hooks: {
        setSelect: [
          u => {
            const { left, width } = u.select
            if (width < 3) return
            onSelect(u.posToVal(left, 'x') * 1000, u.posToVal(left + width, 'x') * 1000)
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          },
        ],
      },
    },
    [[], [], []],
    parent,
  )
  // also when its section is shown for the first time
  new ResizeObserver(() => plot.setSize(size())).observe(parent)
  return { update: data => plot.setData(data) }
}

const BINS = 60
/** Milliseconds: a few anomalies of one moment are no axis of seconds. */
const LEAST_SPAN = 900_000
/** Lengths of a bin, in milliseconds. */
const NICE = [1e3, 5e3, 15e3, 6e4, 3e5, 9e5, 18e5, 36e5, 108e5, 216e5, 432e5, 864e5, 6048e5]

/** Counts of anomalies over their window ends: times in seconds, all, critical. */
export function binned(rows) {
  if (rows.length === 0) return [[], [], []]
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { window_end } of rows) {
    min = Math.min(min, window_end)
    max = Math.max(max, window_end)
  }
  const span = Math.max(max - min, LEAST_SPAN)
  const width = NICE.find(n => span / n <= BINS) ?? Math.ceil(span / BINS)
  const first = Math.floor(min / width) * width
  const bins = Math.max(12, Math.floor((max - first) / width) + 1)
  const start = first - Math.max(0, bins - Math.floor((max - first) / width) - 1) * width
  // an empty one at the end: a bar stands to the right of its time, and the latest is the one to see
  const data = [
    Array.from({ length: bins + 1 }, (_, i) => (start + i * width) / 1000),
    new Array(bins + 1).fill(null),
    new Array(bins + 1).fill(null),
  ]
  for (const { window_end, severity } of rows) {
    const bin = Math.floor((window_end - start) / width)
    data[1][bin]++
    if (severity === 'critical') data[2][bin]++
  }
  return data
}
