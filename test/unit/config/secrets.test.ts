import fc from 'fast-check'
import { createScrubber, urlPasswords } from '../../../config/secrets'

test('a secret is hidden as it is, URL-encoded, as JSON and in base64', () => {
  const secret = 'p@ss "w/rd"'
  const scrub = createScrubber([secret])
  const forms = [
    secret,
    encodeURIComponent(secret),
    encodeURIComponent(secret).toLowerCase(),
    encodeURIComponent(secret).replaceAll('%20', '+'),
    JSON.stringify(secret),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
  ]
  for (const form of forms) {
    const shown = scrub(`before ${form} after`)
    expect(shown).toMatch(/^before .*\*\*\*.* after$/)
    expect(shown).not.toContain(form)
  }
})

test('a secret inside a longer base64 text leaves nothing to decode', () => {
  const secret = 'correct-horse-battery'
  const scrub = createScrubber([secret])
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (before, after) => {
      const header = Buffer.from(`${before}${secret}${after}`).toString('base64')
      const shown = scrub(`Authorization: Basic ${header}`)
      expect(shown).toContain('***')
      expect(Buffer.from(shown.replace('***', ''), 'base64').toString()).not.toContain(secret)
    }),
    { seed: 1 },
  )
})

test('passwords in URLs are hidden, listed or not', () => {
  const scrub = createScrubber([])
  expect(scrub('at http://user:geheim@host:8123/x')).toBe('at http://user:***@host:8123/x')
  expect(scrub('at http://host:8123/a@b')).toBe('at http://host:8123/a@b')
})

test('the longer of two secrets goes as a whole', () => {
  expect(createScrubber(['geheim', 'geheimnis'])('das geheimnis, geheim')).toBe('das ***, ***')
})

test('short secrets are hidden where they are a value and nowhere else', () => {
  const scrub = createScrubber(['a1', ''])
  expect(scrub('password=a1, "secret": "a1", a1, ba1r')).toBe('password=***, "secret": "***", a1, ba1r')
})

test('the lines of a key in several lines are hidden one by one', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END KEY-----'
  const shown = createScrubber([key])('read MIIEvQIBADANBgkqhkiG9w0 from it')
  expect(shown).toBe('read *** from it')
})

test('without secrets a text stays as it is', () => {
  expect(createScrubber([])('plain text: 5')).toBe('plain text: 5')
})

test('no listed secret survives, whatever it is made of', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 4, maxLength: 20 }), { maxLength: 4 }), fc.string(), (secrets, noise) => {
      const usable = secrets.filter(s => s.trim().length >= 4 && !'***'.includes(s) && !s.includes('***'))
      const shown = createScrubber(usable)(`${noise} ${usable.join(' | ')} ${noise}`)
      for (const secret of usable) if (!noise.includes(secret)) expect(shown).not.toContain(secret)
    }),
    { seed: 2 },
  )
})

test('passwords of URLs are found as written and decoded', () => {
  expect(urlPasswords('http://u:p%40ss@h')).toEqual(['p%40ss', 'p@ss'])
  expect(urlPasswords('http://u:p%zz@h')).toEqual(['p%zz'])
  expect(urlPasswords('http://h:80/x')).toEqual([])
})
