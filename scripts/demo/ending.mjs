// Who asks the demo to end is heard from the first moment on, also while what could be stopped is still being loaded.

const SIGNALS = ['SIGINT', 'SIGTERM']
/** npm passes on the Ctrl-C that the terminal has sent to both: two signals within this are one. */
const SAME_SIGNAL_MS = 1_000

export class Ending {
  /** Done once, before the run is stopped. */
  before = async () => {}
  #since = null
  /** A signal for a run that is not there yet. */
  #unheard = null
  #stop = null
  #hear = signal => void this.ask(signal)

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#hear)
  }

  get asked() {
    return this.#since !== null
  }

  /** The first call ends it gracefully, one that is not the same signal again ends it at once. */
  async ask(signal) {
    if (this.#since !== null) return Date.now() - this.#since < SAME_SIGNAL_MS ? undefined : this.#pass(signal)
    this.#since = Date.now()
    await this.before()
    this.#pass(signal)
  }

  /** `stop` is called with the signal, at once if one has come already. The returned function takes it back. */
  onStop(stop) {
    this.#stop = stop
    if (this.#unheard !== null) stop(this.#unheard)
    this.#unheard = null
    return () => {
      this.#stop = () => {}
    }
  }

  close() {
    for (const signal of SIGNALS) process.off(signal, this.#hear)
  }

  #pass(signal) {
    if (this.#stop) this.#stop(signal)
    else this.#unheard = signal
  }
}
