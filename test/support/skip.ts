const told = new Set<string>()

function tell(reason: string, what: string): void {
  const line = `skipped: ${what}: ${reason}\n`
  if (!told.has(line)) process.stderr.write(line)
  told.add(line)
}

/** `test`; where a reason stands against it `test.skip`, and stderr says so once. Nothing is skipped without a word. */
export function testUnless(reason: string | null, what: string): jest.It {
  if (reason === null) return test
  tell(reason, what)
  return test.skip
}

/** `describe`, likewise. */
export function describeUnless(reason: string | null, what: string): jest.Describe {
  if (reason === null) return describe
  tell(reason, what)
  return describe.skip
}
