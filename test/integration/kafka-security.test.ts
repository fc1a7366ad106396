import { execFile } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { KafkaSource } from '../../connectors/kafka/source'
import { retrying } from '../../runtime/retry'
import { contextFor, never, otherClient, readToEnd, recordsOf, sourceFor, unique } from '../support/kafka'
import { missingTool, type RealKafka, startRealKafka } from '../support/real_kafka'
import { testUnless } from '../support/skip'

/** TLS and SASL against Apache Kafka: no development broker of ours has them, so a mistake here would agree with itself. */

const run = promisify(execFile)
const SECRET = 'correct horse'
const STORE = 'changeit'

const missing = missingTool()
const testWithKafka = testUnless(missing && `${missing} is not installed`, 'TLS and SASL against Apache Kafka')

let kafka: RealKafka
let folder: string
let tokens: Server
let tokenEndpoint: string
const open: KafkaSource[] = []

const file = (name: string): string => path.join(folder, name)

/** A certificate authority and a server and a client certificate signed by it; the names are in the certificate's extensions. */
async function makeCertificates(): Promise<void> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder })
  const subject = (name: string): string[] => ['-subj', `/CN=${name}`]
  await openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    ...subject('ca'),
  )
  for (const [name, names] of [
    ['server', 'IP:127.0.0.1,DNS:broker.example'],
    ['client', 'DNS:client'],
  ]) {
    await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, ...subject(name))
    writeFileSync(file(`${name}.ext`), `subjectAltName=${names}`)
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`]
    await openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signing)
  }
  const bundle = [
    '-in',
    'server.pem',
    '-inkey',
    'server.key',
    '-certfile',
    'ca.pem',
    '-out',
    'server.p12',
    '-passout',
    `pass:${STORE}`,
  ]
  await openssl('pkcs12', '-export', ...bundle)
}

/** An unsecured JSON web token, which Kafka's own validator takes where it is told to (for development only, like here). */
const token = (): string => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  return `${part({ alg: 'none' })}.${part({ sub: 'connect', iat: now, exp: now + 3600 })}.`
}

const plainUsers = `org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="${SECRET}" user_admin="${SECRET}" user_connect="${SECRET}";`
const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
const bearer =
  'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";'

beforeAll(async () => {
  if (missing !== null) return
  folder = mkdtempSync(path.join(tmpdir(), 'olap-connect-security-'))
  await makeCertificates()
  const ssl = {
    'ssl.keystore.location': file('server.p12'),
    'ssl.keystore.password': STORE,
    'ssl.keystore.type': 'PKCS12',
    'ssl.truststore.location': file('ca.pem'),
    'ssl.truststore.type': 'PEM',
  }
  kafka = await startRealKafka({
    folder,
    format: ['256', '512'].flatMap(bits => ['--add-scram', `SCRAM-SHA-${bits}=[name=connect,password=${SECRET}]`]),
    listeners: [
      { name: 'OPEN', protocol: 'PLAINTEXT' },
      { name: 'TLS', protocol: 'SSL', settings: { ...ssl, 'ssl.client.auth': 'none' } },
      { name: 'MUTUAL', protocol: 'SSL', settings: { ...ssl, 'ssl.client.auth': 'required' } },
      {
        name: 'SASL',
        protocol: 'SASL_SSL',
        settings: {
          ...ssl,
          'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
          'plain.sasl.jaas.config': plainUsers,
          'scram-sha-256.sasl.jaas.config': scram,
          'scram-sha-512.sasl.jaas.config': scram,
        },
      },
      {
        name: 'BEARER',
        protocol: 'SASL_PLAINTEXT',
        settings: {
          'sasl.enabled.mechanisms': 'OAUTHBEARER',
          'oauthbearer.sasl.jaas.config': bearer,
          'oauthbearer.sasl.server.callback.handler.class':
            'org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler',
        },
      },
    ],
  })
  tokens = createServer((request, response) => {
    const expected = `Basic ${Buffer.from(`connect:${encodeURIComponent(SECRET)}`).toString('base64')}`
    response.writeHead(request.headers.authorization === expected ? 200 : 401, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ access_token: token(), expires_in: 3600 }))
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => tokens.once('listening', resolve))
  tokenEndpoint = `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`
}, 300_000)

afterEach(async () => {
  await Promise.all(open.splice(0).map(s => s.close()))
})

afterAll(async () => {
  tokens?.close()
  await kafka?.stop()
})

/** Reads a record through a listener as `source` does. */
async function readThrough(listener: string, connection: Record<string, unknown>): Promise<string> {
  const topic = unique('secure')
  const other = otherClient(kafka.addresses.OPEN)
  const admin = other.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic }], waitForLeaders: true })
  await admin.disconnect()
  const producer = other.producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ value: 'through' }] })
  await producer.disconnect()
  const context = contextFor(kafka.addresses[listener], { connection })
  const source = sourceFor(context, { topics: [topic] })
  open.push(source)
  await source.open(never)
  // a coordinator that has only just started may still be loading, which the engine waits out
  const session = await retrying({ ...context, stage: 'read', signal: never }, () => source.session(never))
  const records = recordsOf(await readToEnd(session))
  return String(records[0]?.value)
}

const ca = () => ({ ca: file('ca.pem') })
const user = { username: 'connect', password: SECRET }

const cases: [string, string, () => Record<string, unknown>][] = [
  ['TLS', 'TLS', () => ({ tls: ca() })],
  ['TLS with the name in the certificate', 'TLS', () => ({ tls: { ...ca(), server_name: 'broker.example' } })],
  ['TLS with any certificate', 'TLS', () => ({ tls: { reject_unauthorized: false } })],
  ['a client certificate', 'MUTUAL', () => ({ tls: { ...ca(), cert: file('client.pem'), key: file('client.key') } })],
  ['SASL/PLAIN', 'SASL', () => ({ tls: ca(), sasl: { mechanism: 'plain', ...user } })],
  ['SASL/SCRAM-SHA-256', 'SASL', () => ({ tls: ca(), sasl: { mechanism: 'scram-sha-256', ...user } })],
  ['SASL/SCRAM-SHA-512', 'SASL', () => ({ tls: ca(), sasl: { mechanism: 'scram-sha-512', ...user } })],
  ['SASL/OAUTHBEARER with a token', 'BEARER', () => ({ sasl: { mechanism: 'oauthbearer', token: token() } })],
  [
    'SASL/OAUTHBEARER with a token endpoint',
    'BEARER',
    () => ({ sasl: { mechanism: 'oauthbearer', token_endpoint: tokenEndpoint, client_id: 'connect', client_secret: SECRET } }),
  ],
]

testWithKafka.each(cases)('reads with %s', async (_name, listener, connection) => {
  expect(await readThrough(listener, connection())).toBe('through')
})

const refusals: [string, string, () => Record<string, unknown>, string][] = [
  ['a certificate of an unknown authority', 'TLS', () => ({ tls: true }), 'E009_TLS'],
  ['another name in the certificate', 'TLS', () => ({ tls: { ...ca(), server_name: 'elsewhere.example' } }), 'E009_TLS'],
  ['no client certificate', 'MUTUAL', () => ({ tls: ca() }), 'E009_TLS'],
  [
    'a wrong password',
    'SASL',
    () => ({ tls: ca(), sasl: { mechanism: 'plain', ...user, password: 'no' } }),
    'E003_AUTHENTICATION',
  ],
  [
    'a wrong password for SCRAM',
    'SASL',
    () => ({ tls: ca(), sasl: { mechanism: 'scram-sha-512', ...user, password: 'no' } }),
    'E003_AUTHENTICATION',
  ],
  ['a mechanism the broker does not have', 'BEARER', () => ({ sasl: { mechanism: 'plain', ...user } }), 'E003_AUTHENTICATION'],
  [
    'a wrong secret at the token endpoint',
    'BEARER',
    () => ({ sasl: { mechanism: 'oauthbearer', token_endpoint: tokenEndpoint, client_id: 'connect', client_secret: 'no' } }),
    'E003_AUTHENTICATION',
  ],
]

testWithKafka.each(refusals)('%s is named as what it is, without the secret', async (_name, listener, connection, code) => {
  const failed: unknown = await readThrough(listener, connection()).catch(error => error)
  expect(failed).toMatchObject({ code, retriable: false })
  expect(String((failed as Error).message)).not.toContain(SECRET)
})
