import { getEventListeners } from 'node:events'
import type { Clock } from '../../../runtime/clock'
import { ConnectError, TimeOver } from '../../../runtime/errors'
import type { Emitter } from '../../../runtime/events'
import { anySignal, Outages, type RetryContext, retrying } from '../../../runtime/retry'

const away = (): ConnectError => new ConnectError('E001_UNREACHABLE', 'nobody there')
const reason = new ConnectError('R003_ABORTED', 'stopped by SIGTERM')

/** A clock whose sleeps end only by their signal or by `wake`. */
function heldClock() {
  const sleeping: (() => void)[] = []
  let heard: (() => void) | null = null
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (_, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
        sleeping.push(resolve)
        heard?.()
      }),
  }
  /** Resolves once so many sleeps were begun. */
  const asleep = async (count: number): Promise<void> => {
    while (sleeping.length < count)
      await new Promise<void>(resolve => {
        heard = resolve
      })
  }
  const wake = (): void => {
    for (const resolve of sleeping.splice(0)) resolve()
  }
  return { clock, asleep, wake }
}

function setUp() {
  const said: string[] = []
  const events: Emitter = { emit: name => void said.push(name) }
  const { clock, asleep, wake } = heldClock()
  const hard = new AbortController()
  const drain = new AbortController()
  const outages = new Outages()
  const context: RetryContext = {
    pipeline: 'p',
    flow: 'f',
    stage: 'write',
    events,
    clock,
    signal: hard.signal,
    drain: drain.signal,
    outages,
  }
  return { said, context, hard, drain, asleep, wake }
}

test('an outage that several lanes meet is said by the first and ended by the last', async () => {
  const { said, context, asleep, wake } = setUp()
  const lane = (failures: number) =>
    retrying(context, async attempt => {
      if (attempt < failures) throw away()
      return attempt
    })
  const all = Promise.all([lane(1), lane(1), lane(2)])
  await asleep(3)
  wake()
  await asleep(1)
  wake()
  expect(await all).toEqual([1, 1, 2])
  expect(said.filter(e => e !== 'retrying')).toEqual(['service_unreachable', 'service_back'])
  // the next one is said again
  const again = lane(1)
  await asleep(1)
  wake()
  await again
  expect(said.filter(e => e === 'service_unreachable')).toHaveLength(2)
})

test('a graceful stop lets an operation finish', async () => {
  const { context, drain } = setUp()
  const result = retrying(context, async () => {
    drain.abort(reason)
    return 'done'
  })
  expect(await result).toBe('done')
})

test.each(['while it waits', 'while it tries'])('a graceful stop %s ends the wait for a service that is away', async when => {
  const { said, context, drain, asleep } = setUp()
  const result = retrying(context, async () => {
    if (when === 'while it tries') drain.abort(reason)
    throw away()
  })
  result.catch(() => {})
  if (when === 'while it waits') {
    await asleep(1)
    drain.abort(reason)
  }
  await expect(result).rejects.toBe(reason)
  expect(said).not.toContain('service_back')
})

test('a graceful stop while a topic is missing is a failure', async () => {
  const { context, drain, hard, asleep } = setUp()
  const hint = 'a start waits 30 s for it'
  const noTopic = new ConnectError('K005_UNKNOWN_TOPIC', 'there is no topic "t"', { retriable: true, hint })
  const cut = retrying(context, () => Promise.reject(noTopic))
  cut.catch(() => {})
  await asleep(1)
  hard.abort(reason)
  await expect(cut).rejects.toBe(reason)
  const stopped = retrying({ ...context, signal: drain.signal }, () => Promise.reject(noTopic))
  stopped.catch(() => {})
  await asleep(1)
  drain.abort(reason)
  await expect(stopped).rejects.toMatchObject({
    code: 'K005_UNKNOWN_TOPIC',
    message: noTopic.message,
    hint: expect.not.stringMatching(/30 s/),
  })
})

test.each([
  ['the time of a flow that has done nothing yet is over: a failure', new TimeOver(), true],
  ['it is stopped while it has done nothing yet: no failure', reason, false],
])('%s', async (_, why, fails) => {
  const { context, drain, asleep } = setUp()
  const gone = away()
  const opening = retrying({ ...context, opening: true, signal: drain.signal }, () => Promise.reject(gone))
  opening.catch(() => {})
  await asleep(1)
  drain.abort(why)
  await expect(opening).rejects.toBe(fails ? gone : why)
})

test('a view that no flow is left to make is looked for once more', async () => {
  const { context, asleep } = setUp()
  const noView = new ConnectError('S011_NO_VIEW', 'the view v is not there')
  const hopeless = new AbortController()
  let tries = 0
  const waiting = retrying({ ...context, hopeless: hopeless.signal }, () => {
    tries++
    return Promise.reject(noView)
  })
  waiting.catch(() => {})
  await asleep(1)
  expect(tries).toBe(1)
  hopeless.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'S011_NO_VIEW', retriable: false })
  expect(tries).toBe(2)
})

test('a service that is away is waited for with pauses, also where no flow is left to make anything', async () => {
  const { context, asleep, hard } = setUp()
  let tries = 0
  const waiting = retrying({ ...context, signal: hard.signal, hopeless: AbortSignal.abort() }, () => {
    // bounds a loop that does not pause
    if (++tries > 10) throw new ConnectError('R001_INTERNAL', 'it does not pause')
    return Promise.reject(away())
  })
  waiting.catch(() => {})
  await Promise.race([asleep(1), waiting])
  expect(tries).toBe(1)
  hard.abort(reason)
  await expect(waiting).rejects.toBe(reason)
})

test('what was waited for is said again after a wait that was given up', async () => {
  const { said, context, hard, asleep } = setUp()
  const given = retrying({ ...context, signal: hard.signal }, () => Promise.reject(away()))
  given.catch(() => {})
  await asleep(1)
  hard.abort(reason)
  await expect(given).rejects.toBe(reason)
  const next = retrying({ ...context, signal: new AbortController().signal, drain: AbortSignal.abort(reason) }, async () => 1)
  expect(await next).toBe(1)
  expect(said).toEqual(['service_unreachable', 'retrying'])
})

test('no listener stays behind', async () => {
  const { context, hard, drain, asleep, wake } = setUp()
  const result = retrying(context, async attempt => {
    if (attempt < 1) throw away()
  })
  await asleep(1)
  expect(getEventListeners(drain.signal, 'abort').length).toBe(1)
  wake()
  await result
  const { release } = anySignal(hard.signal, drain.signal)
  release()
  for (const { signal } of [hard, drain]) expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('an error that is not retriable is thrown at once', async () => {
  const { said, context } = setUp()
  const error = new ConnectError('S001_STORE_ERROR', 'no')
  await expect(retrying(context, () => Promise.reject(error))).rejects.toBe(error)
  expect(said).toEqual([])
})
