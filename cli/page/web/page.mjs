// The page of a running worker: listens to its events and gives what comes to the sections.
import { addAnomalies, allAnomalies, setAnomalies, startAnomalies } from './anomalies.mjs'
import { $, ask, atMost, setText } from './dom.mjs'
import { onFinding, showFlows, showLost, showServices, showVerdict } from './overview.mjs'
import { anomaliesChanged, showKey, startViews, viewsChanged } from './views.mjs'

let last = Date.now()

onFinding(goTo)
startAnomalies(a => showKey({ pipeline: a.pipeline, name: a.view, key: a.key, feature: a.feature }))
startViews().then(listen, error => setText($('#verdict .detail'), error.message))

function listen() {
  const events = new EventSource('/api/events')
  const on = (name, work) => events.addEventListener(name, ({ data }) => work(JSON.parse(data)))
  // also after the connection was lost: what happened meanwhile was not told
  events.addEventListener('open', () => void readAnomalies())
  on('state', state => {
    last = Date.now()
    showVerdict(state)
    showFlows(state.status)
    showServices(state.status)
    viewsChanged(state.status, state.verdict.findings)
  })
  on('anomalies', list => {
    addAnomalies(list)
    anomaliesChanged(allAnomalies())
  })
  on('reset', () => readSoon())
  events.addEventListener('error', () => {
    showLost(last)
    // a browser does not try again after an answer that is no stream
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3_000)
  })
}

async function readAnomalies() {
  const { anomalies, feeds } = await ask('/api/anomalies')
  setAnomalies(anomalies)
  anomaliesChanged(anomalies)
  // the topic is still being read
  if (feeds.some(f => f.state === 'reading')) readSoon()
}
const readSoon = atMost(2_000, () => void readAnomalies().catch(() => {}))

function goTo({ kind, pipeline, name, key, feature }) {
  if (kind === 'anomaly' && key) showKey({ pipeline, name, key, feature })
  else $(kind === 'service' ? '#services' : '#flows').scrollIntoView({ behavior: 'smooth', block: 'center' })
}

setText(
  $('footer'),
  `Times are local (${Intl.DateTimeFormat().resolvedOptions().timeZone}). Read-only. /metrics · /health · /api/status`,
)
