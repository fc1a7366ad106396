// Copies what the compiler does not emit: statement templates, Avro schemas and the files of the page. They
// stand beside the code that uses them.
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'

const assets = /\.(sql|avsc|html|css|mjs|svg)$/
const copy = dir => {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const from = path.join(dir, entry.name)
    if (entry.isDirectory()) copy(from)
    else if (assets.test(entry.name)) {
      mkdirSync(path.join('dist', dir), { recursive: true })
      cpSync(from, path.join('dist', from))
    }
  }
}
for (const dir of ['runtime', 'config', 'transforms', 'sql', 'connectors', 'embedded', 'cli']) if (existsSync(dir)) copy(dir)
chmodSync('dist/cli/main.js', 0o755)
