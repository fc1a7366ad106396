import { envelopeSchema } from '../../../cli/envelope_schema'
import { inProcess } from '../../support/in_process'

/** A wrong command line is an error like all others: exit code 2, what was probably meant, and the envelope under --json. */

const wrong = [
  { args: ['runn'], command: 'connect', says: "unknown command 'runn' (did you mean run?)" },
  {
    args: ['completion', 'powershell'],
    command: 'completion',
    says: "there is no shell 'powershell' here. Allowed choices are bash, zsh, fish",
  },
  { args: ['help', 'nosuch'], command: 'help', says: "unknown command 'nosuch' (the commands are run, " },
  { args: ['help', 'rnu'], command: 'help', says: "unknown command 'rnu' (did you mean run?)" },
  { args: ['help', '__complete'], command: 'help', says: "unknown command '__complete'" },
  { args: ['run', '--fo', '3s', 'x.yaml'], command: 'run', says: "unknown option '--fo' (did you mean --for?)" },
  { args: ['run'], command: 'run', says: "missing required argument 'file'" },
  { args: ['run', 'x.yaml', '--for'], command: 'run', says: "option '--for <duration>' argument missing" },
  { args: ['run', 'x.yaml', '--for', 'soon'], command: 'run', says: '--for soon: expected a duration such as 30s or 5m' },
  { args: ['run', 'x.yaml', '--for', '3sec'], command: 'run', says: 'such as 30s or 5m; did you mean 3s?' },
  // a timer that is longer than Node can wait would fire at once
  { args: ['run', 'x.yaml', '--for', '30d'], command: 'run', says: '--for 30d: expected a duration of at most 24d' },
  { args: ['tail', 'x.yaml', 'topic', '--from', 'middle'], command: 'tail', says: 'Allowed choices are beginning, end' },
  { args: ['tail', 'x.yaml', 'topic', '--limit', '0'], command: 'tail', says: '--limit 0: expected a whole number above 0' },
  { args: ['sql', 'x.yaml', 'SELECT', '1'], command: 'sql', says: "too many arguments for 'sql'" },
]

test.each(wrong)('$args', async ({ args, says }) => {
  const { code, out, err } = await inProcess(args)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toContain(`C019_USAGE: `)
  expect(err).toContain(says)
  // an error is not buried under the help
  expect(err.trim().split('\n')).toHaveLength(2)
})

test.each(wrong)('$args with --json', async ({ args, command, says }) => {
  // an option that lacks its argument would take --json for it
  if (command === 'help' || command === 'completion') return // they have no --json
  const { code, out, err } = await inProcess(args.at(-1) === '--for' ? ['--json', ...args] : [...args, '--json'])
  expect({ code, err }).toEqual({ code: 2, err: '' })
  const envelope = envelopeSchema.parse(JSON.parse(out))
  expect(envelope).toMatchObject({ ok: false, result: null, error: { code: 'C019_USAGE' } })
  if (args.at(-1) !== '--for') expect([envelope.command, envelope.summary]).toEqual([command, expect.stringContaining(says)])
})

test('a value that will not do: the hint names the help that has the options', async () => {
  expect((await inProcess(['run', 'x.yaml', '--for', '3sec'])).err).toMatch(/\n {2}`connect run --help` shows its options\n$/)
})

test('without a command: the help, on stderr, as an error', async () => {
  const { code, out, err } = await inProcess([])
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toContain('Usage: connect [options] [command]')
})

test.each([[['--help']], [['help']], [['help', 'run']], [['run', '--help']], [['--version']]])('%j is no error', async args => {
  const { code, out, err } = await inProcess(args)
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).not.toBe('')
})

test('every problem of a file is in the envelope, whichever command read it', async () => {
  const file = 'test/golden/config/typo_enum.yaml'
  for (const args of [
    ['validate', file],
    ['run', file],
    ['schema', file],
  ]) {
    const { code, out } = await inProcess([...args, '--json'])
    const { error } = envelopeSchema.parse(JSON.parse(out))
    expect([code, error?.problems?.length]).toEqual([2, 3])
  }
})
