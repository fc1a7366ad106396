// A worker of the page that listens to the server's events. In the page itself the open stream would hold the virtual time of a
// headless browser for ever, and no screenshot would end.
const RETRY_MS = 3_000

function listen() {
  const events = new EventSource('/api/events')
  for (const name of ['state', 'anomalies', 'reset'])
    events.addEventListener(name, ({ data }) => postMessage({ name, data: JSON.parse(data) }))
  events.addEventListener('open', () => postMessage({ name: 'open' }))
  events.addEventListener('error', () => {
    postMessage({ name: 'lost' })
    // a browser does not try again after an answer that is no stream
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS)
  })
}

listen()
