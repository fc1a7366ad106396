// An anomaly in one sentence: who, what was expected, what was seen, when.

export const timeOf = ms => new Date(ms).toLocaleTimeString('en-GB', { hour12: false })
const number = (value, digits = 0) => Number(value).toLocaleString('en', { maximumFractionDigits: digits })
const percent = value => `${number(value, 1)} %`
const size = bytes =>
  bytes >= 1e6 ? `${number(bytes / 1e6, 1)} MB` : bytes >= 1e3 ? `${number(bytes / 1e3, 1)} kB` : `${number(bytes)} bytes`

/** The feature that says most. */
function strangest({ features }) {
  const all = Object.entries(features)
  const [name, f] = all.sort(([, a], [, b]) => (b.contribution ?? 0) - (a.contribution ?? 0))[0] ?? ['', {}]
  return { name, ...f }
}

const usual = (f, text) => {
  const { lower, upper } = f
  if (lower !== null && upper !== null) return `${text(lower)} to ${text(upper)} is usual`
  if (upper !== null) return `${text(f.expected)} is usual, ${text(upper)} at most`
  return f.expected === null ? 'which is unlike all before' : `${text(f.expected)} is usual`
}

const DETECTORS = {
  volume: (a, f, when) => `${a.key.device} sent ${size(f.value)} ${when}; ${usual(f, size)}.`,
  values: (a, f, when) =>
    `${a.key.device} reported a temperature of ${number(f.value, 1)} °C ${when}; ${usual(f, v => number(v, 1))}.`,
  heard: (a, f, when) =>
    `Only ${number(f.value)} devices of ${a.key.site} were heard ${when}; ${number(f.expected)} are usual: one has fallen silent.`,
  shape: (a, f, when) =>
    `CPU of ${a.key.device} was ${percent(f.value)} (${f.name}) ${when}, ${f.expected === null ? 'unlike all before' : usual(f, percent)}.`,
  level: (a, f, when) => `CPU of ${a.key.device} was ${percent(f.value)} (${f.name}) ${when}; ${usual(f, percent)}.`,
  busy: (_, f, when) => `This machine's ${f.name} was ${percent(f.value)} ${when}; ${usual(f, percent)}.`,
  full: (_, f, when) => `This machine's memory was ${percent(f.value)} full ${when}.`,
  traffic: (_, f, when) =>
    `This machine's ${f.name === 'net' ? 'network moved' : 'disks moved'} ${size(f.value)} a second ${when}; ${usual(f, size)}.`,
}

export function sentence(anomaly) {
  const feature = strangest(anomaly)
  const when = `between ${timeOf(anomaly.start)} and ${timeOf(anomaly.end)}`
  const say = DETECTORS[anomaly.detector]
  if (say) return say(anomaly, feature, when)
  return `${Object.values(anomaly.key).join(' ')}: ${feature.name} was ${number(feature.value, 2)} ${when}; ${usual(feature, v => number(v, 2))}.`
}

const DEEDS = { leaking: 'was made to leak', corrupt: 'was made to report garbage', silent: 'was silenced' }

/** What had been done. */
export const deed = fault => `${fault.device} ${DEEDS[fault.fault.replace(/-\d+$/, '')]} at ${timeOf(fault.start)}`
