// The latest anomalies: histogram over time, filters, rows.
import { binned, histogram } from './chart.mjs'
import { $, atMost, count, el, moment, setText, value } from './dom.mjs'

const PAGE = 50
const rows = new Map()
const state = { shown: PAGE, from: null, to: null, chart: null }
const idOf = a => `${a.pipeline}|${a.flow}|${a.id}`

/** `onRow` is called with the anomaly that was clicked. */
export function startAnomalies(onRow) {
  state.chart = histogram($('#histogram'), (from, to) => {
    state.from = from
    state.to = to
    again()
  })
  $('#whole-time').addEventListener('click', () => {
    state.from = state.to = null
    again()
  })
  for (const id of ['#anomaly-search', '#severity', '#status']) $(id).addEventListener('input', again)
  $('#more-anomalies').addEventListener('click', () => {
    state.shown += 200
    show()
  })
  $('#anomalies tbody').addEventListener('click', event => {
    const row = rows.get(event.target.closest('tr')?.dataset.id)
    if (row) onRow(row)
  })
  addEventListener(
    'resize',
    atMost(200, () => state.chart.resize()),
  )
}

/** The list as the server has it now. */
export function setAnomalies(list) {
  rows.clear()
  for (const a of list) rows.set(idOf(a), a)
  show()
}

/** Some that are new or changed. */
export function addAnomalies(list) {
  for (const a of list) rows.set(idOf(a), a)
  show()
}

export const allAnomalies = () =>
  [...rows.values()].sort((a, b) => b.window_end - a.window_end || b.score - a.score).slice(0, 1_000)

function again() {
  state.shown = PAGE
  show()
}

const STATUS = {
  '': () => true,
  standing: a => a.status === 'raised' || a.status === 'revised',
  suppressed: a => a.status === 'suppressed',
  retracted: a => a.status === 'retracted',
}

function show() {
  const all = allAnomalies()
  $('#anomalies').hidden = false
  const words = $('#anomaly-search').value.toLowerCase().split(/\s+/).filter(Boolean)
  const severity = $('#severity').value
  const status = STATUS[$('#status').value]
  const matching = all.filter(
    a => status(a) && (severity === '' || a.severity === severity) && words.every(w => textOf(a).includes(w)),
  )
  const shown = matching.filter(a => state.from === null || (a.window_end >= state.from && a.window_end <= state.to))
  state.chart.update(binned(matching))
  $('#whole-time').hidden = state.from === null
  setText($('#anomaly-count'), summary(all.length, shown.length))
  const lines = shown.slice(0, state.shown).map(line)
  const body = $('#anomalies tbody')
  if (lines.length === 0)
    lines.push(el('tr', { class: 'none' }, el('td', { colspan: 8 }, all.length === 0 ? 'None so far.' : 'None that match.')))
  const same = lines.length === body.children.length && lines.every((l, i) => l.isEqualNode(body.children[i]))
  if (!same) body.replaceChildren(...lines)
  $('#more-anomalies').hidden = shown.length <= state.shown
}

const summary = (all, shown) =>
  all === 0 ? '' : shown === all ? `the latest ${count(all)}` : `${count(shown)} of the latest ${count(all)}`

const keyText = a =>
  Object.values(a.key)
    .map(v => v ?? '')
    .join(' · ')
const textOf = a => `${keyText(a)} ${a.view} ${a.detector} ${a.pipeline} ${a.flow}`.toLowerCase()

function line(a) {
  return el(
    'tr',
    { data: { id: idOf(a), severity: a.severity, status: a.status }, title: 'Show its series' },
    el('td', { class: 'time' }, moment(a.window_end)),
    el('th', { scope: 'row' }, keyText(a) || 'all records'),
    el('td', {}, whatOf(a)),
    el('td', { class: 'n' }, a.score.toFixed(1)),
    el('td', {}, el('span', { class: 'chip', data: { level: a.severity } }, a.severity)),
    el('td', { class: 'wide' }, a.view),
    el('td', { class: 'wide' }, a.detector),
    el('td', { class: 'wide' }, a.status),
  )
}

/** The feature that lies furthest out, or else weighs most: what was seen, what was expected. */
function whatOf(a) {
  const features = Object.entries(a.features).sort(([, x], [, y]) => (y.contribution ?? 0) - (x.contribution ?? 0))
  if (features.length === 0) return `the rule ${a.detector} holds`
  const [name, f] = features.find(([, feature]) => isOutside(feature)) ?? features[0]
  return `${name} ${value(f.value)}${rangeOf(f)}${isOutside(f) || f.expected === null ? '' : ', but not like this'}`
}

const isOutside = ({ value: v, lower, upper }) => v !== null && ((lower !== null && v < lower) || (upper !== null && v > upper))

function rangeOf({ lower, upper, expected }) {
  if (lower !== null && upper !== null) return `, expected ${value(lower)} to ${value(upper)}`
  if (upper !== null) return `, expected at most ${value(upper)}`
  if (lower !== null) return `, expected at least ${value(lower)}`
  return expected === null ? '' : `, expected ${value(expected)}`
}
