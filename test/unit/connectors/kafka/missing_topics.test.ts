import { judgeMissing } from '../../../../connectors/kafka/missing_topics'
import { UnknownTopics } from '../../../../connectors/kafka/topics'
import type { Makers } from '../../../../runtime/plugin'

const HOUR = 3_600_000
const working: Makers = { working: ['detect'], failed: [] }
const failed: Makers = { working: [], failed: ['detect'] }
const nobody: Makers = { working: [], failed: [] }

const judged = (makers: Readonly<Record<string, Makers>>, waited: number) =>
  judgeMissing(new UnknownTopics(Object.keys(makers), 'b:9'), new Map(Object.entries(makers)), waited)

test('what a flow of the same run still makes is waited for without a limit', () => {
  expect(judged({ t: working }, HOUR)).toMatchObject({
    code: 'K009_TOPIC_PENDING',
    retriable: true,
    message: 'there is no topic "t" on b:9 yet: waits for flow detect, which creates it',
  })
})

test('what nobody here makes is waited for a while', () => {
  expect(judged({ t: nobody }, 29_999)).toMatchObject({
    code: 'K005_UNKNOWN_TOPIC',
    retriable: true,
    hint: expect.stringContaining('30 s'),
  })
  expect(judged({ t: nobody }, 30_000)).toMatchObject({ retriable: false, hint: expect.not.stringMatching(/30 s/) })
  // that another topic is on its way helps nothing
  expect(judged({ t: working, u: nobody }, HOUR)).toMatchObject({ code: 'K005_UNKNOWN_TOPIC', retriable: false })
})

test('what should have made it has failed: the end, at once', () => {
  expect(judged({ t: failed, u: working }, 0)).toMatchObject({
    code: 'K005_UNKNOWN_TOPIC',
    retriable: false,
    hint: 'flow detect, which creates it, has failed: see what it says',
  })
})
