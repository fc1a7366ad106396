import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { type BrowserContext, chromium } from 'playwright-core'

/** Where this machine has a Chromium; undefined: nowhere. */
export const CHROMIUM = (
  process.env.CHROMIUM_PATH === undefined
    ? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
    : [process.env.CHROMIUM_PATH]
).find(file => existsSync(file))

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const run = promisify(execFile)

export interface Browser {
  readonly context: BrowserContext
  /**
   * The elements of an address after so many milliseconds of a browser's virtual time, in which it waits for the network only: what
   * `chromium --headless --virtual-time-budget --screenshot` would draw. Fails where that does not end.
   */
  screen(url: string, budgetMs: number): Promise<string>
  close(): Promise<void>
}

/** A headless Chromium with a profile of its own, removed at the end. */
export async function openBrowser(executablePath: string): Promise<Browser> {
  const profile = mkdtempSync(path.join(tmpdir(), 'olap-connect-browser-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: FLAGS,
    viewport: { width: 1280, height: 800 },
  })
  return {
    context,
    async screen(url, budgetMs) {
      const other = path.join(profile, 'screen')
      const flags = [...FLAGS, `--user-data-dir=${other}`, `--virtual-time-budget=${budgetMs}`, '--dump-dom']
      return (await run(executablePath, [...flags, url], { timeout: 30_000, killSignal: 'SIGKILL', maxBuffer: 1 << 26 })).stdout
    },
    async close() {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}
