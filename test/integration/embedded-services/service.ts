import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

const DIST = path.join(__dirname, '..', '..', '..', 'dist')

export interface Line {
  readonly event: string
  readonly service: string
  readonly address: string
  readonly tcp?: string
  readonly pid: number
  readonly message?: string
  readonly hint?: string
}

export interface Program {
  readonly child: ChildProcess
  /** Standard error so far. */
  readonly stderr: () => string
  /** The next line on standard output, as JSON; rejects if the program ends first. */
  next<T = Line>(): Promise<T>
  /** Exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>
}

const running = new Set<ChildProcess>()
const folders: string[] = []

export function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'embedded-services-'))
  folders.push(made)
  return made
}

/** For afterEach: ends what a failed test left and removes its folders. */
export async function cleanUp(): Promise<void> {
  for (const child of running) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
}

/** Runs `node FILE ARGS`, FILE in dist/ unless it is absolute. */
export function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn(process.execPath, [path.resolve(DIST, file), ...args], { env: { ...process.env, ...env } })
  running.add(child)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const ended = new Promise<number | string>(resolve =>
    child.once('exit', (code, signal) => {
      running.delete(child)
      resolve(code ?? signal ?? 'unknown')
    }),
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    child,
    stderr: () => stderr,
    ended,
    async next<T>() {
      const line = await lines.next()
      if (line.done === true) throw new Error(`ended with ${await ended}: ${stderr}`)
      return JSON.parse(line.value) as T
    },
  }
}
