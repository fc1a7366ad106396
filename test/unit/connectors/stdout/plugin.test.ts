import { stdoutConnector } from '../../../../connectors/stdout/plugin'
import { sinkContextIn } from '../../../../runtime/conformance/context'
import { SINK_SCHEMA, sampleBatch } from '../../../../runtime/conformance/sink'

test('prints each row until the limit, and takes the rest', async () => {
  let printed = ''
  const stdout = async (text: string): Promise<void> => {
    printed += text
  }
  const sink = stdoutConnector.create(stdoutConnector.config.parse({ limit: 1501 }), sinkContextIn('unused', { stdout }))
  const { signal } = new AbortController()
  await sink.open(SINK_SCHEMA, signal)
  const lane = await sink.lane({ lane: 0, partitions: [], group: null }, signal)
  if (lane.delivery !== 'token') throw new Error('expected tokens')
  for (const from of [0, 1500]) {
    const result = await lane.write(sampleBatch(from, from + 1500), {
      token: 't',
      resend: false,
      namedAt: null,
      behind: null,
      signal,
    })
    expect(result).toEqual({ written: 1500, failed: [] })
  }
  const lines = printed.trimEnd().split('\n')
  expect(lines).toHaveLength(1501)
  expect(lines[1]).toBe('{"id":1,"ts":"2023-11-14T22:13:20.001Z","device":"device 1 é","value":0.125,"ok":false}')
})
