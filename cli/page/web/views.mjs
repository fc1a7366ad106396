// Series of views: a card a key, the latest strange ones first. Only what is on the screen is asked for and drawn.
import { chartData, hasBand, markersIn, noteOf, seriesChart } from './chart.mjs'
import { $, ask, atMost, count, el, failed, setText, value } from './dom.mjs'
import { keyOf, ofView, stands, urlOf } from './places.mjs'
import { drawTabs, idOf } from './tabs.mjs'

const PAGE = 12
/** Cards at most; beyond, the search finds keys. */
const MOST_CARDS = 2_000
/** Series in one question. */
const AT_ONCE = 24
const REFRESH_MS = 3_000
const CHART_HEIGHT = 132

/**
 * @typedef {ReturnType<typeof import('../routes').describe>} View
 * @typedef {import('../anomalies').AnomalyRow} AnomalyRow
 * @typedef {import('../verdict').Finding} Finding
 * @typedef {import('../series').Series} Series
 */

const state = {
  /** @type {readonly View[]} */
  views: [],
  /** @type {View | null} */
  view: null,
  /** @type {readonly AnomalyRow[]} */
  anomalies: [],
  /** @type {Map<string, Finding['level']>} keys that are strange now, as `pipeline/view/key`, with the severity */
  now: new Map(),
  /** @type {Set<string>} keys of findings that are over, named alike */
  over: new Set(),
  /** @type {readonly import('../keys').ListedKey[]} */
  keys: [],
  total: 0,
  wanted: PAGE,
  search: '',
  /**
   * Key as JSON that the reader has asked for: its card comes first.
   * @type {string | null}
   */
  chosen: null,
  /** Says when there are new windows. */
  version: '',
  /** Column of a card whose key is not strange, unless the reader has chosen one. */
  first: '',
}
/**
 * One key on the screen, or near it.
 * @typedef {object} Card
 * @property {string} id key as JSON
 * @property {any} root
 * @property {any} column
 * @property {any} latest
 * @property {any} note
 * @property {any} plot
 * @property {number | null} around end of the window that the chart is to show; null: the latest ones
 * @property {ReturnType<typeof seriesChart> | null} chart
 * @property {Series | null} series
 * @property {boolean} visible
 */

/**
 * By key as JSON.
 * @type {Map<string, Card>}
 */
const cards = new Map()

/** The reader has chosen a view, a key or a search: what is shown is not changed for them. */
let touched = false

/**
 * Views in which the key of a finding is strange, that of the finding first.
 * @param {Finding} f
 */
const viewsOf = f => [f.name, ...f.also].flatMap(name => state.views.filter(v => v.pipeline === f.pipeline && v.name === name))
/**
 * Names of the key of a finding in them.
 * @param {Finding} f
 */
const nameOf = f => viewsOf(f).map(v => `${idOf(v)}/${keyOf(v, f)}`)
/** @param {readonly View[]} views */
export function startViews(views) {
  state.views = views
  $('#views').hidden = views.length === 0
  if (views.length === 0) return
  $('#column').addEventListener('change', () => {
    touched = true
    redraw()
  })
  $('#windows').addEventListener('change', () => refresh())
  $('#search').addEventListener('input', searched)
  $('#more-keys').addEventListener('click', () => {
    state.wanted = Math.min(MOST_CARDS, state.wanted + PAGE)
    void loadKeys()
  })
  addEventListener(
    'resize',
    atMost(200, () => {
      for (const card of cards.values()) card.chart?.resize()
    }),
  )
  choose(views[0])
}

/**
 * Shows a key of a view (`{column: text}`) and the column that is strange, for a finding or a row of the list.
 * @param {{ pipeline: string, name: string, key: AnomalyRow['key'], feature: string | null }} place
 */
export function showKey({ pipeline, name, key, feature }) {
  touched = true
  const view = state.views.find(v => v.pipeline === pipeline && v.name === name)
  if (!view) return
  // of several columns the first that says anything; the strangest of them comes first
  state.search = view.keys.map(column => key[column] ?? '').find(text => text !== '') ?? ''
  $('#search').value = state.search
  state.chosen = keyOf(view, { key })
  choose(view, feature)
  $('#views').scrollIntoView({ behavior: 'smooth', block: 'start' })
}

/**
 * New figures of the worker, and what it says is wrong now.
 * @param {import('../../../runtime/status').Status} status
 * @param {readonly Finding[]} findings
 */
export function viewsChanged(status, findings) {
  if (!state.view) return
  const strange = findings.filter(f => f.kind === 'anomaly')
  // what is wrong is what the reader came for: unless told otherwise, the view where the worst of it is
  const wrong = (strange.some(f => f.now) ? strange.filter(f => f.now) : strange).flatMap(viewsOf)
  if (!touched && wrong.length > 0 && !wrong.includes(state.view)) choose(wrong[0])
  const now = new Map(strange.filter(f => f.now).flatMap(f => nameOf(f).map(id => [id, f.level])))
  state.over = new Set(strange.filter(f => !f.now).flatMap(nameOf))
  if (now.size !== state.now.size || [...now].some(([id, level]) => state.now.get(id) !== level)) {
    state.now = now
    showTabs()
    redraw()
    // cards stand in the order of the findings
    keysSoon()
  }
  const { view } = state
  const figures = status.views.find(v => v.view === view.name && v.pipeline === view.pipeline)
  const version = figures ? `${figures.windows}|${figures.revised}|${figures.watermark_ms}` : ''
  if (version === state.version) return
  state.version = version
  refreshSoon()
}

/**
 * The list of anomalies is another one.
 * @param {readonly AnomalyRow[]} anomalies
 */
export function anomaliesChanged(anomalies) {
  const first = state.anomalies.length === 0
  state.anomalies = anomalies
  if (!state.view) return
  showTabs()
  redraw()
  // the order of the keys was made without them
  if (first) void loadKeys()
  else keysSoon()
}

/**
 * @param {View} view
 * @param {string | null} [feature] column to show
 */
function choose(view, feature = null) {
  const other = state.view !== view
  state.view = view
  state.wanted = PAGE
  if (other) {
    for (const card of cards.values()) drop(card)
    cards.clear()
    $('#cards').replaceChildren()
    const watched = [...new Set(view.detectors.flatMap(d => d.features))]
    const columns = [...watched, ...view.columns.filter(c => !watched.includes(c))]
    const options = columns.map(c => el('option', { value: c }, c))
    // each card the column in which its key is strange, else the first
    if (watched.length > 1) options.unshift(el('option', { value: '' }, 'what is strange'))
    $('#column').replaceChildren(...options)
    state.first = columns[0] ?? ''
  }
  if ([...$('#column').options].some(o => o.value === feature)) $('#column').value = feature
  showTabs()
  void loadKeys()
}

function showTabs() {
  drawTabs(state.views, state.view, state.now, view => {
    touched = true
    state.search = $('#search').value = ''
    state.chosen = null
    choose(view)
  })
}

const searched = atMost(200, () => {
  touched = true
  state.search = $('#search').value
  state.chosen = null
  state.wanted = PAGE
  void loadKeys()
})

/** @type {AbortController | null} */
let keyQuestion = null
async function loadKeys() {
  const { view } = state
  if (!view) return
  keyQuestion?.abort()
  keyQuestion = new AbortController()
  try {
    const url = `${urlOf(view, '/keys')}&limit=${state.wanted}&search=${encodeURIComponent(state.search)}`
    const answer = await ask(url, keyQuestion.signal)
    if (view !== state.view) return
    state.keys = answer.keys
    state.total = answer.total
    const all = `${count(answer.total)}${answer.more ? ' or more' : ''} ${answer.total === 1 ? 'key' : 'keys'}`
    setText($('#key-count'), answer.total > 1 ? `${all}, the latest strange ones first` : all)
    $('#more-keys').hidden = answer.keys.length >= Math.min(answer.total, MOST_CARDS)
    showCards()
  } catch (error) {
    failed(error, text => setText($('#key-count'), text))
  }
}
const keysSoon = atMost(REFRESH_MS, () => void loadKeys())

function showCards() {
  const ids = state.keys.map(k => JSON.stringify(k.key))
  // there even if many others have the same text in their key
  const wanted = new Set(state.chosen === null ? ids : [state.chosen, ...ids])
  for (const [id, card] of cards)
    if (!wanted.has(id)) {
      drop(card)
      card.root.remove()
      cards.delete(id)
    }
  const parent = $('#cards')
  let place = parent.firstElementChild
  for (const id of wanted) {
    const card = cards.get(id) ?? makeCard(id)
    card.root.dataset.chosen = String(id === state.chosen)
    if (card.root === place) place = place.nextElementSibling
    else parent.insertBefore(card.root, place)
  }
  redraw()
  refreshSoon()
}

/**
 * @param {string} id
 * @returns {Card}
 */
function makeCard(id) {
  const key = JSON.parse(id)
  const name = el('h3', {}, key.join(' · ') || 'all records')
  const latest = el('strong', {})
  const column = el('span', {})
  const note = el('p', { class: 'note' })
  const plot = el('div', { class: 'plot' })
  const root = el(
    'article',
    { class: 'card', data: { key: id, level: 'ok' } },
    el('div', { class: 'top' }, name, el('span', { class: 'latest' }, column, latest)),
    note,
    plot,
  )
  /** @type {Card} */
  const card = { id, root, column, latest, note, plot, chart: null, series: null, visible: false, around: null }
  cards.set(id, card)
  sight.observe(root)
  return card
}

/** @param {Card} card */
function drop(card) {
  sight.unobserve(card.root)
  card.chart?.destroy()
  card.chart = null
}

/** Charts exist only while they are near the screen. */
const sight = new IntersectionObserver(
  entries => {
    for (const { target, isIntersecting } of entries) {
      const card = cards.get(target.getAttribute('data-key') ?? '')
      if (!card) continue
      card.visible = isIntersecting
      if (!isIntersecting) {
        card.chart?.destroy()
        card.chart = null
      } else draw(card)
    }
    if ([...cards.values()].some(c => c.visible && !c.series)) void refresh(true)
  },
  { rootMargin: '200px' },
)

/** @type {AbortController | null} */
let question = null
/** Asks for the series on the screen; `missing`: only for those never asked for. */
async function refresh(missing = false) {
  const { view } = state
  if (!view || document.hidden) return
  const asked = [...cards.values()].filter(c => c.visible && !(missing && c.series))
  /** @type {AbortSignal | undefined} */
  let signal
  if (!missing) {
    question?.abort()
    question = new AbortController()
    signal = question.signal
  }
  // a tall screen shows more than one question may ask for
  const latest = asked.filter(c => c.around === null)
  for (let i = 0; i < latest.length && view === state.view; i += AT_ONCE) await askFor(view, latest.slice(i, i + AT_ONCE), signal)
  for (const card of asked) if (card.around !== null && view === state.view) await askFor(view, [card], signal)
}

/**
 * @param {View} view
 * @param {readonly Card[]} asked one alone where it is to show windows around a moment
 * @param {AbortSignal | undefined} signal
 */
async function askFor(view, asked, signal) {
  const keys = asked.map(c => `&key=${encodeURIComponent(c.id)}`).join('')
  const windows = Number($('#windows').value)
  const [{ around }] = asked
  // three quarters of the chart before it, as far as there are windows
  const to = around === null ? '' : `&to=${around + Math.floor(windows / 4) * view.slide_ms}`
  try {
    const answer = await ask(`${urlOf(view)}&windows=${windows}${to}${keys}`, signal)
    if (view !== state.view) return
    answer.series.forEach((series, i) => {
      asked[i].series = series
      if (asked[i].visible) draw(asked[i])
    })
  } catch (error) {
    failed(error, text => {
      for (const card of asked) if (!card.series) setText(card.note, text)
    })
  }
}

const refreshSoon = atMost(REFRESH_MS, () => void refresh())
document.addEventListener('visibilitychange', () => refreshSoon())

function redraw() {
  for (const card of cards.values()) if (card.visible) draw(card)
}

/**
 * The reader came for what is strange: a card that was chosen, or of a finding that is over, shows the windows around it where it
 * lies before the latest ones. True: they are being asked for.
 * @param {Card} card
 * @param {import('../series').Series} series
 * @param {number | null} last end of its latest strange window
 */
function turned(card, series, last) {
  const wanted = state.view && (card.id === state.chosen || state.over.has(`${idOf(state.view)}/${card.id}`))
  const inside = last !== null && last >= (series.window_end[0] ?? Number.NEGATIVE_INFINITY)
  const around = !wanted || last === null || (card.around === null && inside) ? null : last
  if (around === card.around) return false
  card.around = around
  card.series = null
  void refresh(true)
  return true
}

/** @param {Card} card */
function draw(card) {
  const { view } = state
  if (!view || !card.series) return
  const all = state.anomalies.filter(a => ofView(view, a) && keyOf(view, a) === card.id)
  // as in the findings: a suppressed one says that what was raised goes on, and nothing alone
  const own = all.some(stands) ? all : []
  const strange = own[0]?.feature ?? null
  const column = $('#column').value || (strange !== null && strange in card.series.columns ? strange : state.first)
  // one that names other columns is shown there
  const here = own.filter(a => Object.keys(a.features).length === 0 || column in a.features)
  if (turned(card, card.series, here[0]?.window_end ?? null)) return
  const data = chartData(card.series, column, view.slide_ms, new Set(here.map(a => a.window_end)))
  card.chart ??= seriesChart(card.plot, CHART_HEIGHT)
  card.chart.update(data)
  const markers = markersIn(data)
  card.root.dataset.markers = markers
  card.root.dataset.band = hasBand(data)
  card.root.dataset.level = state.now.get(`${idOf(view)}/${card.id}`) ?? 'ok'
  const values = card.series.columns[column] ?? []
  setText(card.column, column)
  const shown = card.around === null ? values.length - 1 : card.series.window_end.indexOf(card.around)
  setText(card.latest, shown >= 0 && shown < values.length ? value(values[shown]) : '')
  setText(card.note, noteOf(card.series, own, column, markers, view.detectors))
}
