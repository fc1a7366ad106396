// What the demo says: an anomaly in one sentence, what is known about it, the count at the end.

export const timeOf = ms => new Date(ms).toLocaleTimeString('en-GB', { hour12: false })
const number = (value, digits = 0) => Number(value).toLocaleString('en', { maximumFractionDigits: digits })
const degrees = value => `${number(value, 1)} °C`
// a band reaches below what there can be
const percent = value => `${number(Math.max(0, value), 1)} %`
const size = bytes =>
  bytes >= 1e6
    ? `${number(bytes / 1e6, 1)} MB`
    : bytes >= 1e3
      ? `${number(bytes / 1e3, 1)} kB`
      : `${number(Math.max(0, bytes))} bytes`

/** What is usual, in the units of `text`; null bounds are not known. */
function usual({ lower, upper, expected }, text) {
  const [low, high, about] = [lower, upper, expected].map(v => (v === null || v === undefined ? null : text(v)))
  if (low !== null && high !== null) return low === high ? `usual is ${low}` : `usual is ${low} to ${high}`
  if (high !== null && about === high) return `usual is ${high}`
  if (high !== null) return about === null ? `usual is ${high} or less` : `usual is about ${about}, up to ${high}`
  if (low !== null) return `usual is ${low} or more`
  return about === null ? 'nothing before was like it' : `usual is about ${about}`
}

/** Of the rules in this-machine.yaml, in percent. */
export const LIMITS = { core: 90, full: 97 }
const over = limit => `the rule is more than ${percent(limit)}`

const DETECTORS = {
  volume: (a, f, when) => `${a.key.device} sent ${size(f.value)} ${when}; ${usual(f, size)}.`,
  values: (a, f, when) => `${a.key.device} reported ${degrees(f.value)} ${when}; ${usual(f, degrees)}.`,
  heard: (a, f, when) => `${a.key.site} heard from ${number(f.value)} of its devices ${when}; usual is ${number(f.expected)}.`,
  shape: (a, f, when) => `${a.key.device} had a CPU of ${percent(f.value)} (${f.name}) ${when}; ${usual(f, percent)}.`,
  level: (a, f, when) => `${a.key.device} had a CPU of ${percent(f.value)} (${f.name}) ${when}; ${usual(f, percent)}.`,
  busy: (_, f, when) => `This machine had ${f.name} at ${percent(f.value)} ${when}; ${usual(f, percent)}.`,
  core: (_, f, when) => `A core of this machine was busy ${percent(f.value)} of the time ${when}; ${over(LIMITS.core)}.`,
  full: (_, f, when) => `This machine had ${percent(f.value)} of its memory in use ${when}; ${over(LIMITS.full)}.`,
  traffic: (_, f, when) =>
    `This machine moved ${size(f.value)} a second ${f.name === 'net' ? 'over the network' : 'to and from disk'} ${when}; ${usual(f, size)}.`,
}

/** Who, what was seen, when, what is usual. `feature`: the one that says most, with its `name`. */
export function sentence(anomaly, feature) {
  const when = `between ${timeOf(anomaly.start)} and ${timeOf(anomaly.end)}`
  const say = DETECTORS[anomaly.detector]
  if (say) return say(anomaly, feature, when)
  const plain = value => number(value, 2)
  return `${Object.values(anomaly.key).join(' ')} had ${feature.name} at ${plain(feature.value)} ${when}; ${usual(feature, plain)}.`
}

const REAL =
  'This machine is real and nothing is injected into it, so this counts neither as found nor as false: the `top` of the system shows what it does.'

/** The kinds of faults by the names that the table of faults and the count have for them. */
const kindOf = fault => fault.fault.replace(/-\d+$/, '')

/**
 * What is known about an anomaly: the fault that caused it, or that there was none. Only the fleet's faults are known: what other
 * pipelines find is unusual, and nobody knows why; of this machine the first word says so, and what to look at. `since`: faults before it are told, but not counted; `how`: see repeats.mjs.
 */
export function told(anomaly, feature, fault, { since = 0, how = 'new' } = {}) {
  const text = sentence(anomaly, feature)
  if (fault) {
    const uncounted = fault.start < since ? ` (not counted: injected before ${timeOf(since)})` : ''
    return `FOUND        ${text} Injected: ${fault.device} ${kindOf(fault)} from ${timeOf(fault.start)} on${uncounted}.`
  }
  if (anomaly.database === 'fleet') return `FALSE ALARM  ${text} Nothing was done to it.`
  const lower = text.replace(/^(A|This) /, start => start.toLowerCase())
  if (how !== 'new') return `UNUSUAL      ${how === 'again' ? 'Again' : 'Still'}: ${lower}`
  return `UNUSUAL      ${text}${anomaly.database === 'machine' ? ` ${REAL}` : ''}`
}

/** What was found of what was injected, in one sentence. */
export function counted({ since, faults, false_alarms, first }) {
  const due = Object.entries(faults).filter(([, n]) => n.injected > n.pending)
  const found = due.map(([kind, n]) => `${n.detected} of ${n.injected - n.pending} ${kind}`)
  const begun = Object.values(faults).reduce((n, { pending }) => n + pending, 0)
  return [
    `faults injected since ${timeOf(Date.parse(since))}, when this run began to watch: ${found.length > 0 ? `found ${found.join(', ')}` : 'none whose windows are closed'}`,
    ...(begun > 0 ? [`${begun} more had just begun`] : []),
    `false alarms: ${false_alarms}`,
    ...(first ? [`the first was told after ${first.seconds} s`] : []),
  ].join('; ')
}
