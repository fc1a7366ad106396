// The user's own function: what it returns is set, null leaves the record out.
module.exports = row => ({ fahrenheit: row.temperature * 1.8 + 32 })
