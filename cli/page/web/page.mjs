// The page of a running worker: listens to its events and gives what comes to the sections.
import { addAnomalies, allAnomalies, setAnomalies, startAnomalies } from './anomalies.mjs'
import { $, ask, atMost, setText } from './dom.mjs'
import { onFinding, showFlows, showLost, showServices, showVerdict } from './overview.mjs'
import { anomaliesChanged, showKey, startViews, viewsChanged } from './views.mjs'

let last = Date.now()

onFinding(goTo)
startAnomalies(a => showKey({ pipeline: a.pipeline, name: a.view, key: a.key, feature: a.feature }))
const { state: first, views } = JSON.parse($('#first').textContent)
startViews(views)
showState(first)

function showState(state) {
  last = Date.now()
  showVerdict(state)
  showFlows(state.status)
  showServices(state.status)
  viewsChanged(state.status, state.verdict.findings)
}

function listen() {
  const events = new Worker('/events.mjs', { type: 'module' })
  events.addEventListener('message', ({ data: { name, data } }) => on[name](data))
  events.addEventListener('error', () => {
    showLost(last)
    events.terminate()
    setTimeout(listen, 3_000)
  })
}

/** By the names of what the worker says. */
const on = {
  // also after the connection was lost: what happened meanwhile was not told
  open: () => readSoon(),
  state: showState,
  anomalies: list => {
    addAnomalies(list)
    anomaliesChanged(allAnomalies())
  },
  reset: () => readSoon(),
  lost: () => showLost(last),
}

async function readAnomalies() {
  const { anomalies, feeds } = await ask('/api/anomalies')
  setAnomalies(anomalies)
  anomaliesChanged(anomalies)
  // the topic is still being read
  if (feeds.some(f => f.state === 'reading')) readSoon()
}
const readSoon = atMost(2_000, () => void readAnomalies().catch(() => {}))

readSoon()
listen()

function goTo({ kind, pipeline, name, key, feature }) {
  if (kind === 'anomaly' && key) showKey({ pipeline, name, key, feature })
  else $(kind === 'service' ? '#services' : '#flows').scrollIntoView({ behavior: 'smooth', block: 'center' })
}

setText(
  $('footer'),
  `Times are local (${Intl.DateTimeFormat().resolvedOptions().timeZone}). Read-only. /metrics · /health · /api/status`,
)
