#!/usr/bin/env node
import { processIo } from './process_io'
import { connect } from './program'

void connect(process.argv.slice(2), processIo()).then(code => {
  process.exitCode = code
})
