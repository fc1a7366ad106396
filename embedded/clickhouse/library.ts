import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { ServiceError } from '../service_main'

const requireHere = createRequire(__filename)

/** The packages that hold libchdb, by `process.platform`-`process.arch`; the list is that of chdb's own optional dependencies. */
const LIBRARY_PACKAGES: Readonly<Record<string, string>> = {
  'darwin-arm64': '@chdb/lib-darwin-arm64',
  'darwin-x64': '@chdb/lib-darwin-x64',
  'linux-arm64': '@chdb/lib-linux-arm64-gnu',
  'linux-x64': '@chdb/lib-linux-x64-gnu',
}

const ELSEWHERE = 'run a ClickHouse server and set the connection: clickhouse: {url: http://HOST:8123}'

/**
 * The path of libchdb.so. Only the path: chdb's own JavaScript runs the text of rows as SQL and leaks settings from one call to the
 * next, so none of it is loaded.
 */
export function libraryPath(platform: string = `${process.platform}-${process.arch}`): string {
  const name = LIBRARY_PACKAGES[platform]
  if (name === undefined) {
    const known = Object.keys(LIBRARY_PACKAGES).join(', ')
    throw new ServiceError(`embedded ClickHouse does not exist for ${platform} (only for ${known})`, ELSEWHERE)
  }
  const folder = packageFolder(name)
  const library = path.join(folder, 'libchdb.so')
  if (!existsSync(library)) throw new ServiceError(`${name} has no libchdb.so in ${folder}`, 'reinstall it: npm install chdb')
  return library
}

function packageFolder(name: string): string {
  try {
    // Beside chdb where the installer nests packages, else hoisted to where this file finds them.
    const chdb = path.dirname(requireHere.resolve('chdb/package.json'))
    return path.dirname(requireHere.resolve(`${name}/package.json`, { paths: [chdb, __dirname] }))
  } catch {
    throw new ServiceError(
      `embedded ClickHouse needs the optional packages chdb and ${name}, which are not installed`,
      `npm install chdb ffi-rs (without --omit=optional), or ${ELSEWHERE}`,
    )
  }
}

/** The foreign-function package; optional like chdb. */
export function loadForeign(): typeof import('ffi-rs') {
  try {
    return requireHere('ffi-rs') as typeof import('ffi-rs')
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n', 1)[0] : String(error)
    throw new ServiceError(`embedded ClickHouse cannot load ffi-rs: ${reason}`, `npm install ffi-rs, or ${ELSEWHERE}`)
  }
}

/**
 * Ends the process with this code and runs nothing on the way, as `_exit(2)`. With the engine's threads alive `process.exit` hangs or
 * changes the code, because it runs the library's destructors below them. Nothing is lost: the data survives even SIGKILL.
 */
export function exitNow(code: number): never {
  try {
    const { open, load, DataType } = loadForeign()
    // libc is found among the libraries that libchdb depends on; opening it again gives the same handle.
    open({ library: 'chdb', path: libraryPath() })
    load({ library: 'chdb', funcName: '_exit', retType: DataType.Void, paramsType: [DataType.I32], paramsValue: [code] })
  } catch {
    // No library, so no threads of it either.
  }
  return process.exit(code)
}
