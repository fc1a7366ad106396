// A user's function, as the javascript transform runs it.
module.exports = row => {
  if (row.device === 'd1') return null
  if (row.device === 'throws') throw new Error('no such device')
  if (row.device === 'promise') return Promise.reject(new Error('late'))
  if (row.device === 'wrong') return { load: 'much' }
  if (row.device === 'undeclared') return { lod: 1 }
  if (row.device === 'as_is') return row
  return { load: row.cpu === null ? null : row.cpu / 100, device: row.device.toUpperCase() }
}
