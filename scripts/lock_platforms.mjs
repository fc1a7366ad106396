// `npm run lock`: completes package-lock.json with the optional packages of other platforms. npm leaves out what its registry does
// not serve (a mirror may hold only some platforms), and then `npm ci` refuses the file everywhere. The packages that need them pin
// exact versions, so nothing is asked and nothing guessed; what is added has no checksum until an npm that sees the whole registry
// writes the file. `--check` changes nothing and exits 1 if something is missing.
import { readFileSync, writeFileSync } from 'node:fs'

const FILE = 'package-lock.json'
const OS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']
const CPU = ['arm64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64']
const LIBC = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' }

/** What such a package says of itself, read from its name: `@scope/thing-linux-arm64-musl`. */
function platform(name) {
  const words = name.split(/[/-]/)
  const os = OS.find(word => words.includes(word))
  const cpu = CPU.find(word => words.includes(word))
  if (!os || !cpu) throw new Error(`${name}: no platform in its name`)
  const libc = os === 'linux' ? words.map(word => LIBC[word]).find(Boolean) : undefined
  return { cpu: [cpu], ...(libc ? { libc: [libc] } : {}), os: [os] }
}

const lock = JSON.parse(readFileSync(FILE, 'utf8'))
const missing = {}
for (const [where, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  if (where === '') continue
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const at = `node_modules/${name}`
    if (lock.packages[at] || lock.packages[`${where}/${at}`]) continue
    if (!/^\d+\.\d+\.\d+[\w.-]*$/.test(version)) throw new Error(`${where} wants ${name} ${version}: not an exact version`)
    missing[at] = { version, ...(dev ? { dev } : {}), optional: true, ...platform(name) }
  }
}
const names = Object.keys(missing)
if (process.argv.includes('--check')) {
  for (const name of names) console.error(`${FILE}: ${name} is missing; run npm run lock`)
  process.exitCode = names.length > 0 ? 1 : 0
} else {
  const [root, ...rest] = Object.entries({ ...lock.packages, ...missing })
  const packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => (a < b ? -1 : 1))])
  writeFileSync(FILE, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`)
  console.log(`${names.length} packages of other platforms added to ${FILE}`)
}
