import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { FetchAnswers, fetchSockets } from '../../../../connectors/kafka/fetch_socket'

const FETCH = 1
const METADATA = 3

let server: Server
let client: Socket
let broker: Socket
let answers: FetchAnswers

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  answers = new FetchAnswers()
  const accepted = once(server, 'connection')
  const { port } = server.address() as AddressInfo
  await new Promise<void>(resolve => {
    client = fetchSockets(answers)({ host: '127.0.0.1', port, ssl: {}, onConnect: resolve })
  })
  broker = (await accepted)[0]
})

afterEach(async () => {
  client.destroy()
  broker.destroy()
  server.close()
  await once(server, 'close')
})

const request = (apiKey: number, id: number): Buffer => {
  const out = Buffer.alloc(20)
  out.writeInt32BE(16)
  out.writeInt16BE(apiKey, 4)
  out.writeInt16BE(11, 6)
  out.writeInt32BE(id, 8)
  return out
}

const response = (id: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(8)
  head.writeInt32BE(4 + payload.length)
  head.writeInt32BE(id, 4)
  return Buffer.concat([head, payload])
}

/** Sends requests, lets the broker answer, and returns what a listener of `data` is given. */
async function ask(requests: readonly Buffer[], answer: Buffer, frames: number): Promise<Buffer[]> {
  const arrived = once(broker, 'data')
  for (const r of requests) client.write(r)
  await arrived
  const seen: Buffer[] = []
  const all = new Promise<void>(resolve => {
    client.on('data', data => {
      seen.push(data)
      if (seen.length === frames) resolve()
    })
  })
  broker.write(answer)
  await all
  client.removeAllListeners('data')
  return seen
}

const payloadOf = (frame: Buffer): Buffer => frame.subarray(8)

test('the answer to a fetch is exchanged for its ticket, once; other answers pass', async () => {
  const records = Buffer.alloc(3_000_000, 5)
  const other = response(8, Buffer.from('metadata'))
  const [ticket, passed] = await ask(
    [Buffer.concat([request(FETCH, 7)]), request(METADATA, 8)],
    Buffer.concat([response(7, records), other]),
    2,
  )
  expect(passed.equals(other)).toBe(true)
  expect(ticket.length).toBeLessThan(100)
  expect(ticket.readInt32BE(0)).toBe(ticket.length - 4)
  expect(ticket.readInt32BE(4)).toBe(7)
  expect(answers.size).toBe(1)
  expect(answers.exchange(payloadOf(ticket)).payload.equals(records)).toBe(true)
  expect(answers.size).toBe(0)
  expect(() => answers.exchange(payloadOf(ticket))).toThrow('too late')
})

test('bytes before the first fetch pass as they are, even where they look like its answer', async () => {
  const odd = Buffer.from([0, 0, 0, 0, 0, 0, 0, 2, 1, 2])
  const seen = await ask([request(METADATA, 1)], Buffer.concat([odd, response(7, Buffer.from('x'))]), 3)
  expect(Buffer.concat(seen).equals(Buffer.concat([odd, response(7, Buffer.from('x'))]))).toBe(true)
})

test('an answer nobody exchanged is dropped with the next fetch', async () => {
  await ask([request(FETCH, 1)], response(1, Buffer.alloc(1000)), 1)
  expect(answers.size).toBe(1)
  const [ticket] = await ask([request(FETCH, 2)], response(2, Buffer.from('second')), 1)
  expect(answers.size).toBe(1)
  expect(answers.exchange(payloadOf(ticket)).payload.toString()).toBe('second')
})

test('an answer nobody exchanged is dropped when the socket closes', async () => {
  await ask([request(FETCH, 1)], response(1, Buffer.alloc(1000)), 1)
  client.destroy()
  await once(client, 'close')
  expect(answers.size).toBe(0)
})

test('the end of the stream is told although nothing is buffered by the socket', async () => {
  client.on('data', () => {})
  const ended = once(client, 'end')
  // half a frame is no answer
  broker.end(response(1, Buffer.alloc(100)).subarray(0, 50))
  await ended
})

test('what is no Kafka broker is an error of the socket', async () => {
  client.on('data', () => {})
  const failed = once(client, 'error')
  broker.write('HTTP/1.1 400 Bad Request\r\n\r\n')
  expect(String((await failed)[0])).toContain('no Kafka broker')
})

test('what is no ticket is its own answer', () => {
  for (const payload of [Buffer.alloc(0), Buffer.alloc(8), Buffer.from('fetched:'), Buffer.alloc(12), Buffer.alloc(1000)]) {
    expect(answers.exchange(payload).payload).toBe(payload)
  }
})
