// Takes a lock over and over: `node lock_user.cjs FOLDER ROUNDS DIE_AT`. In round DIE_AT it kills itself while holding the lock.
// Exits 1 when it meets a living process inside.
const { readFileSync, writeFileSync } = require('node:fs')
const path = require('node:path')
const { withLock } = require(path.join(__dirname, '../../../dist/embedded/lock.js'))
const { isAlive, self } = require(path.join(__dirname, '../../../dist/embedded/processes.js'))

const [folder, rounds, dieAt] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const inside = path.join(folder, 'inside')

const round = async number => {
  const other = readFileSync(inside, 'utf8')
  if (other !== '' && isAlive(JSON.parse(other))) throw new Error(`met ${other}`)
  writeFileSync(inside, JSON.stringify(self()))
  await new Promise(resolve => setImmediate(resolve))
  if (number === dieAt) process.kill(process.pid, 'SIGKILL')
  writeFileSync(inside, '')
}

const main = async () => {
  for (let number = 0; number < rounds; number++) await withLock(path.join(folder, 'lock'), () => round(number))
}
main().catch(error => {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
})
