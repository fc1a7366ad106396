import { execFileSync } from 'node:child_process'
import path from 'node:path'

/** Who asks the demo to end, and when the run hears of it. */

const MODULE = path.resolve(__dirname, '../../../scripts/demo/ending.mjs')

/** What `script` prints, with an `ending` and a clock of its own. */
const says = (script: string): unknown =>
  JSON.parse(
    execFileSync(process.execPath, ['--input-type=module'], {
      encoding: 'utf8',
      input: `
        import { Ending } from ${JSON.stringify(MODULE)}
        let now = 0
        Date.now = () => now
        const ending = new Ending()
        const heard = []
        const stop = signal => heard.push(signal)
        const signal = async name => { process.emit(name, name); await new Promise(setImmediate) }
        ${script}
        ending.close()
        console.log(JSON.stringify(heard))`,
    }),
  )

test('a signal before there is anything to stop stops it as soon as it is there, once', () => {
  expect(
    says(`await signal('SIGINT'); now = 5000; await signal('SIGINT'); ending.onStop(stop); heard.push(ending.asked)`),
  ).toEqual(['SIGINT', true])
})

test('what is to be done before comes first; the same signal again is none, a later one is passed on', () => {
  expect(
    says(`
      ending.before = async () => void heard.push('before')
      ending.onStop(stop)
      await signal('SIGTERM')
      now = 500; await signal('SIGTERM')
      now = 1500; await signal('SIGINT')`),
  ).toEqual(['before', 'SIGTERM', 'SIGINT'])
})

test('a run that is over hears nothing', () => {
  expect(says(`ending.onStop(stop)(); await signal('SIGINT')`)).toEqual([])
})
