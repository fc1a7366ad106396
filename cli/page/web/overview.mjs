// What is wrong first, then flows and services.
import { $, brief, count, el, milliseconds, moment, setText, told } from './dom.mjs'

/**
 * What a `state` event carries.
 * @typedef {import('../../../runtime/status').Status} Status
 * @typedef {import('../verdict').Verdict} Verdict
 */

const SIGN = { ok: '✓', warning: '⚠', critical: '⚠', unknown: '?' }
const LEVEL = { ok: 'OK', warning: 'Warning', critical: 'Critical', unknown: 'Unknown' }
/** Findings that are shown at once: TOLD of the verdict, whose `rest` tells the others. */
const MOST_FINDINGS = 4

/** @param {(finding: any) => void} goTo called with the finding that the reader wants to see */
export function onFinding(goTo) {
  $('#findings').addEventListener('click', event => {
    const data = event.target.closest('button')?.dataset
    if (data) goTo({ ...data, key: JSON.parse(data.key), feature: JSON.parse(data.feature) })
  })
}

/**
 * The line on top, and everything that is wrong.
 * @param {{ verdict: Verdict, status: Status }} state
 */
export function showVerdict({ verdict, status }) {
  const [worst] = verdict.findings
  // what is wrong stands below, sentence by sentence
  const detail = worst ? whatWorks(status) : told(verdict.detail)
  banner(verdict.level, worst && !worst.now ? 'Nothing is wrong now' : LEVEL[verdict.level], verdict.headline, detail)
  setText($('#verdict .source'), `${status.pipelines.map(p => p.name).join(', ')}, as of ${moment(status.now)}`)
  document.title = `${SIGN[verdict.level]} ${verdict.headline}`
  const findings = $('#findings')
  findings.hidden = verdict.findings.length === 0
  const shown = verdict.findings.slice(0, MOST_FINDINGS)
  const rows = shown.map(f =>
    el(
      'button',
      {
        type: 'button',
        class: 'finding',
        data: {
          level: f.level,
          kind: f.kind,
          pipeline: f.pipeline,
          name: f.name,
          key: JSON.stringify(f.key),
          feature: JSON.stringify(f.feature),
        },
      },
      el('span', { class: 'chip', data: { level: f.level } }, f.now ? f.level : 'earlier'),
      el('span', {}, told(f.text)),
    ),
  )
  if (verdict.rest !== '') rows.push(el('p', { class: 'rest' }, `and ${verdict.rest}`))
  replace(findings, rows)
}

/** @param {Status} status */
function whatWorks({ flows, services }) {
  const meant = flows.filter(f => f.state !== 'finished' && f.state !== 'stopped')
  const running = meant.filter(f => f.state === 'running').length
  const starting = meant.filter(f => f.state === 'starting').length
  // of one that nobody had to ask nothing is known
  const asked = services.filter(s => s.state === 'up' || s.state === 'unreachable')
  const up = asked.filter(s => s.state === 'up').length
  const parts = [
    ...(meant.length > 0 ? [`${running} of ${meant.length} flows running`] : []),
    ...(starting > 0 ? [`${starting} starting`] : []),
    ...(flows.length > meant.length ? [`${flows.length - meant.length} at their end`] : []),
    ...(asked.length > 0 ? [`${up} of ${asked.length} services up`] : []),
  ]
  return parts.join(', ')
}

/**
 * Nothing that is on the screen may be believed any more.
 * @param {number} since
 */
export function showLost(since) {
  banner('unknown', 'No connection', 'The worker does not answer', `What stands below is of ${moment(since)}. Trying again.`)
  document.title = '? no connection'
}

/**
 * @param {Verdict['level']} level
 * @param {string} word
 * @param {string} headline
 * @param {string} detail
 */
function banner(level, word, headline, detail) {
  const header = $('#verdict')
  header.dataset.level = level
  setText(header.querySelector('.level'), word)
  setText(header.querySelector('h1'), headline)
  setText(header.querySelector('.detail'), detail)
}

const BAD = {
  failed: 'critical',
  waiting: 'warning',
  restarting: 'warning',
  starting: 'idle',
  finished: 'idle',
  stopped: 'idle',
}

/** @param {Status} status */
export function showFlows({ flows, pipelines }) {
  const several = pipelines.length > 1
  const rows = flows.flatMap((f, i) => {
    const level = BAD[f.state] ?? 'ok'
    const row = el(
      'tr',
      { data: { flow: f.flow, pipeline: f.pipeline }, title: f.problem ? `${f.problem.code}: ${f.problem.message}` : null },
      el('th', { scope: 'row' }, ...words(f.flow)),
      el('td', {}, el('span', { class: 'state', data: { level } }, f.state)),
      el('td', { class: 'n' }, brief(Math.round(f.written_per_second))),
      el('td', { class: `n${f.lag === 0 ? ' calm' : ''}`, data: { cell: 'lag' } }, behind(f)),
      el('td', { class: 'n wide', data: { cell: 'written' }, title: count(f.written) }, count(f.written)),
      el('td', { class: 'n wide' }, milliseconds(f.latency_ms.p99)),
      el('td', { class: `n wide${f.dead_lettered > 0 ? ' some' : ''}` }, brief(f.dead_lettered)),
    )
    const begins = several && f.pipeline !== flows[i - 1]?.pipeline
    return begins ? [el('tr', { class: 'group' }, el('th', { colspan: 7, scope: 'rowgroup' }, f.pipeline)), row] : [row]
  })
  replace($('#flows tbody'), rows)
}

/**
 * What is still to be read. A view's flow reads closings of windows.
 * @param {Status['flows'][number]} f
 */
function behind({ progress, lag, source }) {
  if (progress) return `${Math.floor(progress.share * 100)} % read`
  if (lag === null) return '–'
  if (lag === 0) return 'caught up'
  const what = source.type === 'view' ? 'closing' : 'record'
  return `${brief(lag)} ${what}${lag === 1 ? '' : 's'}`
}

/**
 * A name that may be broken behind the marks between its words.
 * @param {string} name
 */
const words = name => name.split(/(?<=[/_.-])/).flatMap((word, i) => (i === 0 ? [word] : [el('wbr'), word]))

const SERVICE_LEVEL = { up: 'ok', unreachable: 'critical', unknown: 'idle' }
const STATE_WORDS = { up: 'up', unreachable: 'no answer', unknown: 'not asked yet' }

/** @param {Status} status */
export function showServices({ services }) {
  const items = services.map(s =>
    el(
      'li',
      { title: s.problem ? `${s.problem.code}: ${s.problem.message}` : null },
      el('b', {}, s.service.replace('_', ' ')),
      el('span', { class: 'state', data: { level: SERVICE_LEVEL[s.state] } }, STATE_WORDS[s.state]),
      el('span', { class: 'address' }, `${s.address.replace('http://', '')}${s.embedded ? ', embedded' : ''}`),
    ),
  )
  replace($('#services ul'), items)
}

/**
 * Leaves what is equal in place: nothing flickers, and what has the focus keeps it.
 * @param {Element} parent
 * @param {any[]} children
 */
function replace(parent, children) {
  children.forEach((child, i) => {
    const old = parent.children[i]
    if (!old) parent.append(child)
    else if (!old.isEqualNode(child)) {
      const focused = document.activeElement === old
      old.replaceWith(child)
      if (focused) child.focus()
    }
  })
  while (parent.children.length > children.length) parent.lastElementChild?.remove()
}
