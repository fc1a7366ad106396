// Makes `npx connect` in this folder mean this package. npm links the commands of dependencies, not those of the package itself,
// so npx would ask the registry, where `connect` is something else.
import { chmodSync, existsSync, lstatSync, mkdirSync, symlinkSync, unlinkSync } from 'node:fs'

const bin = 'node_modules/.bin/connect'
chmodSync('dist/cli/main.js', 0o755)
if (existsSync('node_modules')) {
  mkdirSync('node_modules/.bin', { recursive: true })
  if (lstatSync(bin, { throwIfNoEntry: false })) unlinkSync(bin)
  symlinkSync('../../dist/cli/main.js', bin)
}
