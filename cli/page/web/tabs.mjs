// The tabs of the views, each with how many of its keys look wrong now.
import { $, el } from './dom.mjs'

/**
 * @typedef {ReturnType<typeof import('../routes').describe>} View
 * @typedef {import('../verdict').Finding} Finding
 */

/** @param {View} view */
export const idOf = view => `${view.pipeline}/${view.name}`

/**
 * @param {readonly View[]} views
 * @param {View | null} selected
 * @param {ReadonlyMap<string, Finding['level']>} now keys that are strange now, as `pipeline/view/key`, with the severity
 * @param {(view: View) => void} choose called with the view of the tab that was clicked
 */
export function drawTabs(views, selected, now, choose) {
  const several = new Set(views.map(v => v.pipeline)).size > 1
  const tabs = views.map(v => {
    const strange = [...now].filter(([id]) => id.startsWith(`${idOf(v)}/[`)).map(([, level]) => level)
    const tab = el(
      'button',
      {
        type: 'button',
        role: 'tab',
        'aria-selected': String(v === selected),
        data: { view: idOf(v) },
        click: () => choose(v),
      },
      several ? idOf(v) : v.name,
    )
    const level = strange.includes('critical') ? 'critical' : 'warning'
    const title = 'Keys that look wrong now in this view; one that does in several views counts in each'
    const keys = `${strange.length} ${strange.length === 1 ? 'key' : 'keys'}`
    if (strange.length > 0) tab.append(el('span', { class: 'badge', title, data: { level } }, keys))
    return tab
  })
  const bar = $('#views .tabs')
  if (tabs.length !== bar.children.length || tabs.some((t, i) => !t.isEqualNode(bar.children[i]))) bar.replaceChildren(...tabs)
}
