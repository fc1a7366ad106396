#!/usr/bin/env node
import { processIo } from './process_io'
import { connect } from './program'

/**
 * A command that has ended has closed what it opened. A client library that opens a connection again after it was told to close
 * (kafkajs does, when a broker comes back during a disconnect) must not keep the process; the timer itself does not either.
 */
const LINGER_MS = 3_000

void connect(process.argv.slice(2), processIo()).then(code => {
  process.exitCode = code
  setTimeout(() => process.exit(code), LINGER_MS).unref()
})
