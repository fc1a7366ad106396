// Holds what was found against what was injected. Nothing here is seen by a detector.

/** Which detector of the fleet is meant to see a kind of fault, whose key tells where, and the whole windows it needs. */
const KINDS = {
  leaking: { detector: 'volume', at: (fault, key) => key.device === fault.device, view: 'devices', sure: 20_000 },
  corrupt: { detector: 'values', at: (fault, key) => key.device === fault.device, view: 'devices', sure: 20_000 },
  // a silent device is missing only in a window that is silent from end to end: 20 s long, one begins every 10 s
  silent: { detector: 'heard', at: (fault, key) => key.site === fault.site, view: 'sites', sure: 30_000 },
}

/** A record speaks for the 5 s until the next one. */
const INTERVAL = 5_000

const kindOf = fault => fault.fault.replace(/-\d+$/, '')

/** True if this anomaly tells this fault. */
export function tells(anomaly, fault) {
  const kind = KINDS[kindOf(fault)]
  if (anomaly.database !== 'fleet' || anomaly.detector !== kind.detector || anomaly.status === 'retracted') return false
  return kind.at(fault, anomaly.key) && anomaly.end > fault.start && anomaly.start < fault.end + INTERVAL
}

/**
 * What was injected since `since` (milliseconds since 1970), per kind: `injected`, `detected` (an alert, raised or suppressed, of the
 * right detector at the right place and time) and `pending` (not detected, and no window that must show it has closed yet).
 * `false_alarms`: alerts of the fleet on windows that ended since then and that no fault explains, whenever that began.
 */
export function judge(anomalies, faults, closed, since) {
  const kinds = Object.fromEntries(Object.keys(KINDS).map(kind => [kind, { injected: 0, detected: 0, pending: 0 }]))
  for (const fault of faults.filter(f => f.start >= since)) {
    const count = kinds[kindOf(fault)]
    const { view, sure } = KINDS[kindOf(fault)]
    count.injected++
    if (anomalies.some(a => tells(a, fault))) count.detected++
    else if (closed[view] < fault.start + sure) count.pending++
  }
  const wrong = anomalies.filter(
    a => a.database === 'fleet' && a.status === 'raised' && a.end > since && !faults.some(f => tells(a, f)),
  )
  return { faults: kinds, false_alarms: wrong.length }
}
