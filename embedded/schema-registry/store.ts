import path from 'node:path'
import { incompatibilities, type Level, normalise } from './avro'
import { errors } from './errors'
import { Journal } from './journal'

export interface SubjectVersion {
  readonly subject: string
  readonly version: number
  readonly id: number
  readonly schema: string
}

type Entry =
  | { readonly op: 'schema'; readonly id: number; readonly schema: string }
  | { readonly op: 'version'; readonly subject: string; readonly version: number; readonly id: number }
  | { readonly op: 'delete'; readonly subject: string; readonly versions: readonly number[]; readonly permanent: boolean }
  /** Without a subject the global level; without a level the subject's own is removed. */
  | { readonly op: 'level'; readonly subject?: string; readonly level?: Level }

interface Version {
  readonly version: number
  readonly id: number
  readonly deleted: boolean
}

/**
 * What the registry knows, in memory, each change first written to the journal. A schema once given an id keeps it for ever, also when
 * all its versions are deleted: records in topics carry the id.
 */
export class RegistryStore {
  readonly #schemas = new Map<number, string>()
  readonly #ids = new Map<string, number>()
  readonly #subjects = new Map<string, readonly Version[]>()
  readonly #levels = new Map<string, Level>()
  #globalLevel: Level = 'BACKWARD'
  readonly #journal: Journal<Entry>

  constructor(data: string) {
    this.#journal = Journal.open<Entry>(path.join(data, 'journal.ndjson'), entry => this.#apply(entry))
  }

  /** Registers a schema under a subject, or finds it there, and returns its id. */
  register(subject: string, text: string): number {
    const schema = normalise(text)
    const versions = this.#versions(subject)
    const known = this.#ids.get(schema)
    if (known !== undefined && versions.some(({ id, deleted }) => id === known && !deleted)) return known
    const problems = incompatibilities(schema, this.#texts(subject), this.level(subject))
    if (problems.length > 0) throw errors.incompatible(subject, problems)
    const id = known ?? this.#schemas.size + 1
    const version = (versions.at(-1)?.version ?? 0) + 1
    const created: readonly Entry[] = known === undefined ? [{ op: 'schema', id, schema }] : []
    this.#commit([...created, { op: 'version', subject, version, id }])
    return id
  }

  /** Finds a schema among a subject's versions. */
  lookup(subject: string, text: string, deleted: boolean): SubjectVersion {
    this.versions(subject, deleted)
    const id = this.#ids.get(normalise(text))
    const found = this.#versions(subject).findLast(version => version.id === id && (deleted || !version.deleted))
    if (found === undefined) throw errors.schemaNotFound()
    return this.#describe(subject, found)
  }

  schema(id: number): string {
    const schema = this.#schemas.get(id)
    if (schema === undefined) throw errors.schemaNotFound(`Schema ${id}`)
    return schema
  }

  /** Where a schema is used. */
  uses(id: number, deleted: boolean): readonly { readonly subject: string; readonly version: number }[] {
    this.schema(id)
    return [...this.#subjects].flatMap(([subject, versions]) =>
      versions.filter(one => one.id === id && (deleted || !one.deleted)).map(({ version }) => ({ subject, version })),
    )
  }

  subjects(deleted: boolean): readonly string[] {
    return [...this.#subjects.keys()].filter(subject => this.#visible(subject, deleted).length > 0).sort()
  }

  versions(subject: string, deleted: boolean): readonly number[] {
    const visible = this.#visible(subject, deleted)
    if (visible.length === 0) throw errors.subjectNotFound(subject)
    return visible.map(({ version }) => version)
  }

  version(subject: string, version: number | 'latest', deleted: boolean): SubjectVersion {
    this.versions(subject, deleted)
    const visible = this.#visible(subject, deleted)
    const found = version === 'latest' ? visible.at(-1) : visible.find(one => one.version === version)
    if (found === undefined) throw errors.versionNotFound(version)
    return this.#describe(subject, found)
  }

  /** Deletes all versions softly, or for good those that were deleted softly before; returns their numbers. */
  deleteSubject(subject: string, permanent: boolean): readonly number[] {
    const versions = this.#versions(subject)
    if (versions.length === 0) throw errors.subjectNotFound(subject)
    const live = versions.filter(({ deleted }) => !deleted)
    if (permanent && live.length > 0) throw errors.subjectNotSoftDeleted(subject)
    if (!permanent && live.length === 0) throw errors.subjectSoftDeleted(subject)
    const numbers = (permanent ? versions : live).map(({ version }) => version)
    this.#commit([{ op: 'delete', subject, versions: numbers, permanent }])
    return numbers
  }

  deleteVersion(subject: string, version: number | 'latest', permanent: boolean): number {
    const number = version === 'latest' ? this.version(subject, 'latest', false).version : version
    const versions = this.#versions(subject)
    if (versions.length === 0) throw errors.subjectNotFound(subject)
    const found = versions.find(one => one.version === number)
    if (found === undefined) throw errors.versionNotFound(number)
    if (permanent && !found.deleted) throw errors.versionNotSoftDeleted(subject, number)
    if (!permanent && found.deleted) throw errors.versionSoftDeleted(subject, number)
    this.#commit([{ op: 'delete', subject, versions: [number], permanent }])
    return number
  }

  /** The level that counts for a subject, or the global one. */
  level(subject?: string): Level {
    return (subject === undefined ? undefined : this.#levels.get(subject)) ?? this.#globalLevel
  }

  subjectLevel(subject: string): Level | undefined {
    return this.#levels.get(subject)
  }

  setLevel(subject: string | undefined, level: Level | undefined): void {
    this.#commit([{ op: 'level', subject, level }])
  }

  /** Why a schema may not follow: under the subject's level after one version, or after all of them as the level says. */
  check(subject: string, version: number | 'latest' | 'all', text: string): readonly string[] {
    const schema = normalise(text)
    const none = this.#visible(subject, false).length === 0
    if (none && version !== 'latest' && version !== 'all') throw errors.subjectNotFound(subject)
    if (none) return []
    const earlier = version === 'all' ? this.#texts(subject) : [this.version(subject, version, false).schema]
    return incompatibilities(schema, earlier, this.level(subject))
  }

  close(): void {
    this.#journal.close()
  }

  #commit(entries: readonly Entry[]): void {
    this.#journal.append(entries)
    for (const entry of entries) this.#apply(entry)
  }

  #apply(entry: Entry): void {
    switch (entry.op) {
      case 'schema':
        this.#schemas.set(entry.id, entry.schema)
        this.#ids.set(entry.schema, entry.id)
        return
      case 'version':
        this.#subjects.set(entry.subject, [
          ...this.#versions(entry.subject),
          { version: entry.version, id: entry.id, deleted: false },
        ])
        return
      case 'delete': {
        const named = ({ version }: Version) => entry.versions.includes(version)
        const versions = this.#versions(entry.subject)
        const left = entry.permanent
          ? versions.filter(version => !named(version))
          : versions.map(version => (named(version) ? { ...version, deleted: true } : version))
        if (left.length > 0) this.#subjects.set(entry.subject, left)
        else this.#subjects.delete(entry.subject)
        return
      }
      case 'level':
        if (entry.subject === undefined) this.#globalLevel = entry.level ?? 'BACKWARD'
        else if (entry.level === undefined) this.#levels.delete(entry.subject)
        else this.#levels.set(entry.subject, entry.level)
        return
      default:
        throw new Error(`unknown entry ${JSON.stringify(entry satisfies never)}`)
    }
  }

  #versions(subject: string): readonly Version[] {
    return this.#subjects.get(subject) ?? []
  }

  #visible(subject: string, deleted: boolean): readonly Version[] {
    return this.#versions(subject).filter(version => deleted || !version.deleted)
  }

  #texts(subject: string): readonly string[] {
    return this.#visible(subject, false).map(({ id }) => this.schema(id))
  }

  #describe(subject: string, { version, id }: Version): SubjectVersion {
    return { subject, version, id, schema: this.schema(id) }
  }
}
