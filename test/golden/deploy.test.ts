import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { commandOf } from '../support/command_lines'
import { inProcess } from '../support/in_process'
import { temporaryFolder } from '../support/temporary_folder'

/** What can be known of the files in deploy/ without a container engine, and of what docs/ says. */

const root = path.resolve(__dirname, '../..')
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')
const folder = temporaryFolder()

interface Service {
  readonly image?: string
  readonly command?: readonly string[]
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly environment?: Readonly<Record<string, string>>
}
const compose = parse(read('deploy/compose.yaml')) as { readonly services: Readonly<Record<string, Service>> }
const dockerfile = read('deploy/Dockerfile')
const unit = read('deploy/olap-connect.service')

const commands = {
  Dockerfile: JSON.parse(/^CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '') as string[],
  'compose.yaml': [...(compose.services.connect.command ?? [])],
  'olap-connect.service': (/^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '').split(' ').slice(2),
}

test.each(Object.entries(commands))('the command of %s is one', async (_, args) => {
  expect(await commandOf(args)).toBe('run')
})

test('what the Dockerfile copies is there, and its context holds it', () => {
  const ignore = read('deploy/Dockerfile.dockerignore')
    .split('\n')
    .filter(line => line.startsWith('!'))
    .map(line => line.slice(1))
  for (const name of ignore) expect([name, existsSync(path.join(root, name))]).toEqual([name, true])
  const build = JSON.parse(read('tsconfig.build.json')) as { include: string[] }
  for (const name of [...build.include, 'package.json', 'package-lock.json', 'scripts', 'tsconfig.json']) expect(ignore).toContain(name)
  expect(dockerfile).toMatch(/^USER node$/m)
  expect(dockerfile).toMatch(/^HEALTHCHECK /m)
})

/** What the files say of an installation: paths below its folder. */
const layouts = {
  Dockerfile: [...dockerfile.matchAll(/^COPY --from=build \/src\/(\S+) (\S+)$/gm)].map(m => m[1]),
  'olap-connect.service': (/^# +\/opt\/olap-connect +the built package: (.*)$/m.exec(unit)?.[1] ?? '').split(', '),
}

test.each(Object.entries(layouts))('what %s copies prints the page of a plugin, also without the examples', async (name, parts) => {
  expect(parts).toEqual(expect.arrayContaining(['package.json', 'dist', 'node_modules', 'config/examples']))
  const to = path.join(folder.path, name)
  for (const part of parts) {
    mkdirSync(path.dirname(path.join(to, part)), { recursive: true })
    if (part === 'node_modules') symlinkSync(path.join(root, part), path.join(to, part))
    else cpSync(path.join(root, part), path.join(to, part), { recursive: true })
  }
  const page = async (): Promise<string> => {
    const main = path.join(to, 'dist/cli/main.js')
    return (await promisify(execFile)(process.execPath, [main, 'plugins', 'ewma'], { cwd: folder.path })).stdout
  }
  expect(await page()).toContain('config/examples/ec2-cpu.yaml')
  rmSync(path.join(to, 'config/examples'), { recursive: true })
  expect(await page()).toMatch(/half_life[^]*EXAMPLES/)
})

test('the documentation of the unit is one of the files that it says to copy', () => {
  const documentation = /^Documentation=file:\/opt\/olap-connect\/(.*)$/m.exec(unit)?.[1]
  expect(layouts['olap-connect.service']).toContain(documentation)
})

test('services of the compose file are reached by names that it has', () => {
  const { connect } = compose.services
  expect(existsSync(path.join(root, 'deploy', connect.build?.context ?? '', connect.build?.dockerfile ?? ''))).toBe(true)
  const addresses = Object.values(connect.environment ?? {})
  expect(addresses).toHaveLength(3)
  for (const address of addresses) {
    const host = /^(?:http:\/\/)?([\w-]+):\d+$/.exec(address)?.[1]
    expect(Object.keys(compose.services)).toContain(host)
  }
  const mounted = (connect.volumes ?? []).map(v => v.split(':')[0]).filter(f => f.startsWith('.'))
  expect(mounted).not.toEqual([])
  expect(mounted.filter(f => !existsSync(path.join(root, 'deploy', f)))).toEqual([])
  // nothing but the page leaves the network, and that to this machine only
  const ports = Object.values(compose.services).flatMap(s => s.ports ?? [])
  expect(ports).toEqual([expect.stringMatching(/^127\.0\.0\.1:/)])
  for (const { image } of Object.values(compose.services)) expect(image ?? 'olap-connect:1').toMatch(/:[\d.]+$/)
})

const docs = readdirSync(path.join(root, 'docs')).map(name => `docs/${name}`)

test.each(docs)('links of %s lead somewhere', file => {
  const links = [...read(file).matchAll(/\]\(([^)#]+)\)/g)].map(m => m[1]).filter(l => !l.startsWith('http'))
  expect(links.filter(l => !existsSync(path.join(root, path.dirname(file), l)))).toEqual([])
})

test.each(docs)('YAML of %s is valid', async file => {
  const blocks = [...read(file).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(m => m[1])
  for (const [i, text] of blocks.entries()) expect(await inProcess(['validate', folder.file(`${i}.yaml`, text)])).toMatchObject({ code: 0 })
})

test('README links every page of docs', () => {
  for (const file of docs) expect(read('README.md')).toContain(`](${file})`)
})
