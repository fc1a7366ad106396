import type { Findings } from './problem'
import { type Entry, entryOf, type Node, type Path, pathText } from './tree'

/** Words that people write for `type:`. A plugin's block is open to any key before its type is known, so only these can be recognised. */
const MEANT = /^(typ|tpye|tyep|types|type_|kind|connector|plugin|class|connector\.class)$/i

/** Reports plugin blocks that give their type under another word, and reads that word as `type`. */
export function putTypesRight(root: Node, findings: Findings): Node {
  return within(root, 'flows', [], (flows, at) =>
    mapEntries(flows, at, (flow, path) => {
      const block = (node: Node, where: Path): Node => rename(node, where, findings)
      const source = within(flow, 'source', path, block)
      const sink = within(source, 'sink', path, block)
      return within(sink, 'transforms', path, (list, where) =>
        list.kind === 'seq' ? { ...list, items: list.items.map((item, i) => block(item, [...where, i])) } : list,
      )
    }),
  )
}

type Change = (node: Node, path: Path) => Node

const mapEntries = (node: Node, path: Path, change: Change, only?: string): Node => {
  if (node.kind !== 'map') return node
  const changed = (e: Entry): Entry =>
    only === undefined || e.key === only ? { ...e, value: change(e.value, [...path, e.key]) } : e
  return { ...node, entries: node.entries.map(changed) }
}

const within = (node: Node, key: string, path: Path, change: Change): Node => mapEntries(node, path, change, key)

function rename(node: Node, path: Path, findings: Findings): Node {
  if (node.kind !== 'map' || entryOf(node, 'type')) return node
  const meant = node.entries.find(e => MEANT.test(e.key))
  if (!meant) return node
  findings.add(
    'C002_UNKNOWN_KEY',
    meant.keyStart,
    pathText([...path, meant.key]),
    `unknown key \`${meant.key}\``,
    'did you mean `type`?',
  )
  return { ...node, entries: node.entries.map(e => (e === meant ? { ...e, key: 'type' } : e)) }
}
