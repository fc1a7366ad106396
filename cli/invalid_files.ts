import { formatProblem, type Problem } from '../config/problem'
import { ConnectError } from '../runtime/errors'

/** Every problem of every file, thrown together. */
export class InvalidFiles extends ConnectError {
  constructor(readonly problems: readonly Problem[]) {
    const files = new Set(problems.map(p => p.file)).size
    super(
      problems[0].code,
      `${problems.length} problem${problems.length === 1 ? '' : 's'} in ${files} file${files === 1 ? '' : 's'}`,
      { hint: problems[0].hint },
    )
  }

  /** All problems as a person reads them. */
  text(): string {
    return this.problems.map(formatProblem).join('\n')
  }
}
