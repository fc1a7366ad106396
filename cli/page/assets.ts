import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

export interface Asset {
  readonly type: string
  readonly body: Buffer
  readonly etag: string
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Files of the page by path: what stands in `web/`, and uPlot from its package. Read once. */
export function loadAssets(): ReadonlyMap<string, Asset> {
  const web = path.join(__dirname, 'web')
  const files = readdirSync(web).map(name => [`/${name === 'index.html' ? '' : name}`, path.join(web, name)] as const)
  const { resolve } = createRequire(__filename)
  const uplot = ['uPlot.esm.js', 'uPlot.min.css'].map(name => [`/${name}`, resolve(`uplot/dist/${name}`)] as const)
  return new Map([...files, ...uplot].map(([url, file]) => [url, assetOf(file)]))
}

function assetOf(file: string): Asset {
  const body = readFileSync(file)
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"`
  return { type: TYPES[path.extname(file)] ?? 'application/octet-stream', body, etag }
}
