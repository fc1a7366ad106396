import { formatProblem, type Problem } from '../config/problem'
import { ConnectError } from '../runtime/errors'

/** Every problem of every file, thrown together. */
export class InvalidFiles extends ConnectError {
  /** `looked`: how many files were looked at, so that one problem in a folder does not read as if it held one file. */
  constructor(
    readonly problems: readonly Problem[],
    looked: number,
  ) {
    const wrong = new Set(problems.map(p => p.file)).size
    const files = wrong < looked ? `${wrong} of ${looked} files` : `${wrong} file${wrong === 1 ? '' : 's'}`
    super(problems[0].code, `${problems.length} problem${problems.length === 1 ? '' : 's'} in ${files}`, {
      hint: problems[0].hint,
    })
  }

  /** All problems as a person reads them. */
  text(): string {
    return this.problems.map(formatProblem).join('\n')
  }
}
