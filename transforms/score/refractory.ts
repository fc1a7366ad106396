import { KeyFloats } from '../../runtime/key_floats'

/**
 * After an alert of a key and detector, further ones within the refractory period are suppressed, unless they are more severe. It
 * acts on alerts, not on scores, and does not extend itself: what goes on is raised again when the period is over.
 */
export class Refractory {
  /** Time (ms) and severity of the last alert that was raised, a key. */
  readonly state = new KeyFloats(2, [Number.NEGATIVE_INFINITY, 0])

  /** True: the alert is hidden. Else it is raised, and its own period begins. */
  hides(key: number, time: number, severity: number, period: number): boolean {
    const { values } = this.state
    const since = Math.abs(time - values[2 * key])
    // the same window or time again is the same alert, not a later one
    if (since > 0 && since < period && severity <= values[2 * key + 1]) return true
    values[2 * key] = time
    values[2 * key + 1] = severity
    return false
  }

  /** A raised alert was taken back: it hides nothing any more. */
  retract(key: number, time: number): void {
    const { values } = this.state
    if (values[2 * key] === time) values[2 * key] = Number.NEGATIVE_INFINITY
  }
}
