import { KeyFloats } from '../../runtime/key_floats'

const WIDTH = 3

/**
 * After an alert of a key and detector, further ones within the refractory period are suppressed, unless they are more severe. It
 * acts on alerts, not on scores, and does not extend itself: what goes on is raised again when the period is over.
 */
export class Refractory {
  /** Time (ms), severity and record of the last alert that was raised, a key. */
  readonly state = new KeyFloats(WIDTH, [Number.NEGATIVE_INFINITY, 0, Number.NaN])

  /**
   * True: the alert is hidden. Else it is raised, and its own period begins. `record`: offset of the record, the same for all
   * windows; an alert of the same record and time that comes again is no later one.
   */
  hides(key: number, time: number, record: number, severity: number, period: number): boolean {
    const { values } = this.state
    const at = WIDTH * key
    const same = values[at] === time && values[at + 2] === record
    if (!same && Math.abs(time - values[at]) < period && severity <= values[at + 1]) return true
    values[at] = time
    values[at + 1] = severity
    values[at + 2] = record
    return false
  }

  /** A raised alert was taken back: it hides nothing any more. */
  retract(key: number, time: number): void {
    const { values } = this.state
    if (values[WIDTH * key] === time) values[WIDTH * key] = Number.NEGATIVE_INFINITY
  }
}
