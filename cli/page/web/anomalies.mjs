// The latest anomalies: histogram over time, filters, rows.
import { binned, histogram } from './chart.mjs'
import { $, count, el, moment, setText } from './dom.mjs'

/** @typedef {import('../anomalies').AnomalyRow} AnomalyRow */

const PAGE = 50
/** @type {Map<string, AnomalyRow>} */
const rows = new Map()
const state = {
  shown: PAGE,
  /**
   * Stretch of time that was chosen, milliseconds since 1970; null: all.
   * @type {{ from: number, to: number } | null}
   */
  stretch: null,
  /** @type {ReturnType<typeof histogram> | null} */
  chart: null,
}
/** @param {AnomalyRow} a */
const idOf = a => `${a.pipeline}|${a.flow}|${a.id}`

/** @param {(row: AnomalyRow) => void} onRow called with the anomaly that was clicked */
export function startAnomalies(onRow) {
  state.chart = histogram($('#histogram'), (from, to) => {
    state.stretch = { from, to }
    again()
  })
  $('#whole-time').addEventListener('click', () => {
    state.stretch = null
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
}

/**
 * The list as the server has it now.
 * @param {readonly AnomalyRow[]} list
 */
export function setAnomalies(list) {
  rows.clear()
  for (const a of list) rows.set(idOf(a), a)
  show()
}

/**
 * Some that are new or changed.
 * @param {readonly AnomalyRow[]} list
 */
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

/** @type {Record<string, (a: AnomalyRow) => boolean>} */
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
  const { stretch } = state
  const shown = matching.filter(a => !stretch || (a.window_end >= stretch.from && a.window_end <= stretch.to))
  state.chart?.update(binned(matching))
  $('#whole-time').hidden = stretch === null
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

/** @param {AnomalyRow} a */
const keyText = a =>
  Object.values(a.key)
    .map(v => v ?? '')
    .join(' · ')
/** @param {AnomalyRow} a */
const textOf = a => `${keyText(a)} ${a.view} ${a.detector} ${a.pipeline} ${a.flow}`.toLowerCase()

/** @param {AnomalyRow} a */
function line(a) {
  return el(
    'tr',
    { data: { id: idOf(a), severity: a.severity, status: a.status }, title: 'Show its series' },
    el('td', { class: 'time' }, moment(a.window_end)),
    el('th', { scope: 'row' }, keyText(a) || 'all records'),
    el('td', {}, a.what),
    el('td', { class: 'n' }, a.score.toFixed(1)),
    el('td', {}, el('span', { class: 'chip', data: { level: a.severity } }, a.severity)),
    el('td', { class: 'wide' }, a.view),
    el('td', { class: 'wide' }, a.detector),
    el('td', { class: 'wide' }, a.status),
  )
}
