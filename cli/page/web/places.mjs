// Where a view, and an anomaly of one, is to be found.

/**
 * @typedef {ReturnType<typeof import('../routes').describe>} View
 * @typedef {import('../anomalies').AnomalyRow} AnomalyRow
 */

/** @param {View} view */
export const urlOf = (view, rest = '') =>
  `/api/views/${encodeURIComponent(view.name)}${rest}?pipeline=${encodeURIComponent(view.pipeline)}`
/** @param {AnomalyRow} a */
export const stands = a => a.status === 'raised' || a.status === 'revised'
/**
 * @param {View} view
 * @param {{ key: AnomalyRow['key'] | null }} anomaly
 */
export const keyOf = (view, anomaly) => JSON.stringify(view.keys.map(name => anomaly.key?.[name] ?? ''))
/**
 * @param {View} view
 * @param {AnomalyRow} a
 */
export const ofView = (view, a) =>
  a.view === view.name && a.pipeline === view.pipeline && (stands(a) || a.status === 'suppressed')
