import { isLevel, LEVELS, type Level } from './avro'
import { errors } from './errors'
import type { RegistryStore } from './store'

/** A request as the routes see it. */
export interface Request {
  readonly method: string
  /** Decoded parts of the path. */
  readonly path: readonly string[]
  readonly query: URLSearchParams
  /** The JSON object of the body, empty if there is none. */
  readonly body: Readonly<Record<string, unknown>>
}

type Handler = (request: Request, parameters: readonly string[], store: RegistryStore) => unknown

/** Method, path (`*` is a parameter) and what answers it. Names, answers and codes are those of Confluent's API reference. */
const ROUTES: readonly (readonly [method: string, path: string, handler: Handler])[] = [
  ['GET', '/', () => ({})],
  ['GET', '/schemas/types', () => ['AVRO']],
  ['GET', '/schemas/ids/*', (_, [id], store) => ({ schema: store.schema(idOf(id)) })],
  ['GET', '/schemas/ids/*/schema', (_, [id], store) => JSON.parse(store.schema(idOf(id)))],
  ['GET', '/schemas/ids/*/versions', (request, [id], store) => store.uses(idOf(id), flag(request, 'deleted'))],
  [
    'GET',
    '/schemas/ids/*/subjects',
    (request, [id], store) => [...new Set(store.uses(idOf(id), flag(request, 'deleted')).map(({ subject }) => subject))],
  ],
  ['GET', '/subjects', listSubjects],
  ['POST', '/subjects/*', (request, [subject = ''], store) => store.lookup(subject, schemaOf(request), flag(request, 'deleted'))],
  ['DELETE', '/subjects/*', (request, [subject = ''], store) => store.deleteSubject(subject, flag(request, 'permanent'))],
  ['GET', '/subjects/*/versions', (request, [subject = ''], store) => store.versions(subject, flag(request, 'deleted'))],
  ['POST', '/subjects/*/versions', (request, [subject = ''], store) => ({ id: store.register(subject, schemaOf(request)) })],
  ['GET', '/subjects/*/versions/*', getVersion],
  [
    'GET',
    '/subjects/*/versions/*/schema',
    (request, parameters, store) => JSON.parse(getVersion(request, parameters, store).schema),
  ],
  [
    'DELETE',
    '/subjects/*/versions/*',
    (request, [subject = '', version], store) => store.deleteVersion(subject, versionOf(version), flag(request, 'permanent')),
  ],
  ['POST', '/compatibility/subjects/*/versions', (request, [subject = ''], store) => verdict(request, subject, 'all', store)],
  [
    'POST',
    '/compatibility/subjects/*/versions/*',
    (request, [subject = '', version], store) => verdict(request, subject, versionOf(version), store),
  ],
  ['GET', '/config', (_request, _parameters, store) => ({ compatibilityLevel: store.level() })],
  ['PUT', '/config', (request, _parameters, store) => setLevel(request, undefined, store)],
  ['GET', '/config/*', getLevel],
  ['PUT', '/config/*', (request, [subject], store) => setLevel(request, subject, store)],
  ['DELETE', '/config/*', deleteLevel],
  ['GET', '/mode', () => ({ mode: 'READWRITE' })],
  ['PUT', '/mode', setMode],
  ['GET', '/mode/*', getMode],
]

/**
 * The answer to a request.
 * @throws RegistryError
 */
export function answer(request: Request, store: RegistryStore): unknown {
  const here = ROUTES.flatMap(([method, path, handler]) => {
    const parameters = match(path, request.path)
    return parameters === undefined ? [] : [{ method, handler, parameters }]
  })
  if (here.length === 0) throw errors.noSuchPath()
  const route = here.find(({ method }) => method === request.method)
  if (route === undefined) throw errors.noSuchMethod()
  return route.handler(request, route.parameters, store)
}

function match(pattern: string, path: readonly string[]): readonly string[] | undefined {
  const parts = pattern.split('/').filter(part => part !== '')
  if (parts.length !== path.length) return undefined
  const parameters: string[] = []
  for (const [i, part] of parts.entries()) {
    const given = path[i] ?? ''
    if (part === '*') parameters.push(given)
    else if (part !== given) return undefined
  }
  return parameters
}

function listSubjects(request: Request, _parameters: readonly string[], store: RegistryStore): readonly string[] {
  const prefix = request.query.get('subjectPrefix') ?? ''
  return store.subjects(flag(request, 'deleted')).filter(subject => subject.startsWith(prefix))
}

function getVersion(request: Request, [subject = '', version]: readonly string[], store: RegistryStore) {
  return store.version(subject, versionOf(version), flag(request, 'deleted'))
}

function verdict(request: Request, subject: string, version: number | 'latest' | 'all', store: RegistryStore) {
  const problems = store.check(subject, version, schemaOf(request))
  const messages = flag(request, 'verbose') ? { messages: problems } : {}
  return { is_compatible: problems.length === 0, ...messages }
}

function getLevel(
  request: Request,
  [subject = '']: readonly string[],
  store: RegistryStore,
): { readonly compatibilityLevel: Level } {
  const level = store.subjectLevel(subject) ?? (flag(request, 'defaultToGlobal') ? store.level() : undefined)
  if (level === undefined) throw errors.noSubjectLevel(subject)
  return { compatibilityLevel: level }
}

function setLevel(request: Request, subject: string | undefined, store: RegistryStore): { readonly compatibility: Level } {
  const level = String(request.body.compatibility).toUpperCase()
  if (!isLevel(level)) throw errors.invalidLevel(LEVELS)
  store.setLevel(subject, level)
  return { compatibility: level }
}

function deleteLevel(
  _request: Request,
  [subject = '']: readonly string[],
  store: RegistryStore,
): { readonly compatibility: Level } {
  const level = store.subjectLevel(subject)
  if (level === undefined) throw errors.noSubjectLevel(subject)
  store.setLevel(subject, undefined)
  return { compatibility: level }
}

function setMode(request: Request): { readonly mode: string } {
  if (request.body.mode !== 'READWRITE') throw errors.invalidMode()
  return { mode: 'READWRITE' }
}

function getMode(request: Request, [subject = '']: readonly string[]): { readonly mode: string } {
  if (!flag(request, 'defaultToGlobal')) throw errors.noSubjectMode(subject)
  return { mode: 'READWRITE' }
}

/** The schema text of a body; other types than Avro and references to other subjects are refused, not ignored. */
function schemaOf({ body }: Request): string {
  const { schema, schemaType = 'AVRO', references } = body
  if (schemaType !== 'AVRO' && schemaType !== null)
    throw errors.invalidSchema(`type ${String(schemaType)} is not supported by the embedded registry (only AVRO)`)
  if (Array.isArray(references) && references.length > 0)
    throw errors.invalidSchema('references are not supported by the embedded registry; write the referenced types inline')
  if (typeof schema !== 'string') throw errors.invalidSchema('the body has no text "schema"')
  return schema
}

const flag = ({ query }: Request, name: string): boolean => query.get(name) === 'true'

function idOf(text: string | undefined): number {
  if (text === undefined || !/^\d{1,9}$/.test(text)) throw errors.noSuchPath()
  return Number(text)
}

function versionOf(text = ''): number | 'latest' {
  if (text === 'latest' || text === '-1') return 'latest'
  const version = Number(text)
  if (!/^\d+$/.test(text) || version < 1 || version > 2 ** 31 - 1) throw errors.invalidVersion(text)
  return version
}
