// The demo's command line. What it does not know it refuses, before anything starts.

export const USAGE = `npm run demo -- [OPTIONS]

  --for DURATION        end after so long, e.g. 45s or 5m; else it runs until Ctrl-C
  --json                print one JSON object on stdout at the end
  --data DIR            folder of what it keeps (default .connect)
  --listen HOST:PORT    address of the page (default 127.0.0.1:8083); off: no page
  --token-file FILE     secret that readers of the page must show
  --help                print this`

const FLAGS = ['--json']
const VALUES = ['--for', '--data', '--listen', '--token-file']
/** These are for `connect run`, which checks their values. */
const PASSED_ON = ['--listen', '--token-file']

/**
 * What `args` ask for: `length` in milliseconds (null: until it is stopped), `options` for `connect run`, and in `wrong` what is not
 * understood, with `usage: true` where the names of the options help; else null.
 */
export function read(args, { parseDuration, didYouMean }) {
  const found = { json: args.includes('--json'), length: null, dataDir: '.connect', options: [], wrong: null }
  const refuse = (text, usage = true) => ({ ...found, wrong: { text, usage } })
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = args[i].startsWith('--') ? args[i].split(/=(.*)/s) : [args[i]]
    if (FLAGS.includes(name) && inline === undefined) continue
    if (!VALUES.includes(name)) {
      const near = didYouMean(name, [...FLAGS, ...VALUES, '--help'])
      return refuse(`${args[i]}: there is no such option${near && near !== name ? `; did you mean ${near}?` : ''}`)
    }
    const value = inline ?? args[++i]
    if (value === undefined || value === '' || (inline === undefined && value.startsWith('--'))) {
      return refuse(`${name}: a value is missing`)
    }
    if (name === '--data') found.dataDir = value
    if (name === '--for') found.length = parseDuration(value)
    if (name === '--for' && found.length === null) {
      return refuse(`--for ${value}: expected a duration such as 45s or 5m`, false)
    }
    if (name === '--listen' && value !== 'off' && !/.:\d+$/.test(value)) {
      return refuse(`--listen ${value}: expected HOST:PORT or off`, false)
    }
    if (PASSED_ON.includes(name)) found.options.push(name, value)
  }
  return found
}
