/** Runs a process' work; what it throws goes to stderr and makes the exit code 1. */
export function runMain(main: () => Promise<void>): void {
  main().catch(error => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
    process.exitCode = 1
  })
}
