import type { Page } from 'playwright-core'
import type { AnomalyRow } from '../../cli/page/anomalies'
import type { KeyPage } from '../../cli/page/keys'
import type { Series } from '../../cli/page/series'
import { type Browser, CHROMIUM, openBrowser } from '../support/browser'
import { type Bench, type RunningConnect, startBench } from '../support/connect'
import { burst, DEVICES, pipeline } from '../support/quiet_devices'
import { describeUnless } from '../support/skip'
import { until } from '../support/until'

/**
 * The page of a worker that does the whole thing: records through Kafka into ClickHouse, windows, scores, anomalies. First all
 * is quiet; then a burst is put into the topic. What the page and its addresses say is held against ClickHouse, the topic and
 * /metrics.
 */

let bench: Bench
let name: string
let view: string
let file: string
let worker: RunningConnect
let address: string

beforeAll(async () => {
  bench = await startBench()
  name = bench.identifier('page')
  view = `${name}_1m`
  file = bench.file('page.yaml', pipeline(name))
  await startWorker()
  // all but the last windows are closed
  await until(
    'all but the last windows closed',
    async () => Number((await bench.sql(`SELECT count() AS n FROM {db}.${view}`).catch(() => [{ n: 0 }]))[0].n),
    n => n >= DEVICES * 178,
  )
}, 120_000)
afterAll(async () => {
  worker?.child.kill('SIGTERM')
  await worker?.ended.catch(() => {})
  await bench?.stop()
})

async function startWorker(): Promise<void> {
  worker = bench.startRun(file, ['--log-level', 'info'])
  const [, at] = await worker.says(/at (http:\/\/127\.0\.0\.1:\d+)$/m)
  address = at
}

async function get<T>(url: string): Promise<T> {
  const response = await fetch(address + url)
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return (await response.json()) as T
}

const anomalies = async (): Promise<readonly AnomalyRow[]> =>
  (await get<{ anomalies: readonly AnomalyRow[] }>('/api/anomalies')).anomalies

const writtenOf = async (flow: string): Promise<number> => {
  const text = await (await fetch(`${address}/metrics`)).text()
  return Number(new RegExp(`^olap_connect_records_written_total\\{.*flow="${flow}"\\} (\\d+)$`, 'm').exec(text)?.[1])
}

describe('before anything is wrong', () => {
  test('keys, windows and values are those of the view', async () => {
    const keys = await get<KeyPage>(`/api/views/${view}/keys?limit=5`)
    expect({ total: keys.total, first: keys.keys.map(k => k.key) }).toEqual({
      total: DEVICES,
      first: ['d00', 'd01', 'd02', 'd03', 'd04'].map(k => [k]),
    })
    const { columns: numbers, series } = await get<{ columns: readonly string[]; series: readonly Series[] }>(
      `/api/views/${view}?key=d07&key=d03&windows=50`,
    )
    expect(numbers).toEqual(['n', 'mean', 'peak'])
    expect(series.map(s => s.key)).toEqual([['d07'], ['d03']])
    for (const { key, window_end, columns } of series) {
      const rows = await bench.sql(
        `SELECT toUnixTimestamp64Milli(window_end) AS end, mean FROM {db}.${view} WHERE device = '${key[0]}' ORDER BY end DESC LIMIT 50`,
      )
      expect(window_end).toEqual(rows.map(r => Number(r.end)).reverse())
      expect(columns.mean).toEqual(rows.map(r => Number(r.mean)).reverse())
    }
  })

  test('a search finds keys; text is text', async () => {
    expect((await get<KeyPage>(`/api/views/${view}/keys?search=D1`)).total).toBe(10)
    expect((await get<KeyPage>(`/api/views/${view}/keys?search=%25`)).total).toBe(0)
    const { series } = await get<{ series: readonly Series[] }>(`/api/views/${view}?key=${encodeURIComponent("d0' OR 1=1 --\\")}`)
    expect(series[0].window_end).toEqual([])
  })

  test.each([
    ['an unknown view', '/api/views/nothing', 404],
    ['a key of too many columns', () => `/api/views/${view}?key=["a","b"]`, 400],
    ['a key that is no list of texts', () => `/api/views/${view}?key=[1]`, 400],
    ['too many windows', () => `/api/views/${view}?key=d01&windows=100000`, 400],
    ['too many keys', () => `/api/views/${view}?${'key=a&'.repeat(51)}`, 400],
    ['a time that is none', () => `/api/views/${view}?key=d01&from=yesterday`, 400],
  ])('%s is refused with a reason', async (_, url, code) => {
    const response = await fetch(address + (typeof url === 'string' ? url : url()))
    expect(response.status).toBe(code)
    expect(await response.json()).toMatchObject({ error: { message: expect.stringMatching(/./) } })
  })

  test('nothing is changed by a request, and nothing is loaded from elsewhere', async () => {
    for (const url of ['/', '/api/anomalies', `/api/views/${view}`])
      for (const method of ['POST', 'PUT', 'DELETE']) expect((await fetch(address + url, { method })).status).toBe(404)
    const page = await fetch(`${address}/`)
    const policy = String(page.headers.get('content-security-policy'))
    expect(policy).toMatch(/default-src 'none'; script-src 'self'; style-src 'self';/)
    expect(policy).not.toContain('unsafe')
    const html = await page.text()
    for (const [, url] of html.matchAll(/(?:src|href)="([^"]*)"/g)) {
      expect(url).toMatch(/^\/[\w.]+$/)
      expect((await fetch(address + url)).status).toBe(200)
    }
    // the first state stands in the page as data, which no browser executes
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)(?! type="application\/json")|\son\w+=|\bstyle=/)
  })
})

describeUnless(CHROMIUM ? null : 'there is no Chromium (CHROMIUM_PATH names one)', 'the page in a browser')(
  'in a browser',
  () => {
    let browser: Browser
    let page: Page
    const problems: string[] = []
    const asked: string[] = []

    beforeAll(async () => {
      browser = await openBrowser(CHROMIUM as string)
      page = await browser.context.newPage()
      page.on('console', m => m.type() === 'error' && problems.push(m.text()))
      page.on('pageerror', e => problems.push(String(e)))
      page.on('request', r => asked.push(r.url()))
      await page.goto(address)
    })
    afterAll(() => browser?.close())

    const overflow = () => page.evaluate('document.documentElement.scrollWidth - innerWidth') as Promise<number>
    const card = (device: string) => page.locator(`.card[data-key='["${device}"]']`)

    test('the quiet state says so, with the figures of /metrics and ClickHouse', async () => {
      await page.waitForSelector('#verdict[data-level="ok"]')
      expect(await page.textContent('#verdict h1')).toBe('All is well')
      await page.waitForSelector('#flows tr[data-flow="ingest"]')
      const shown = async () =>
        Number((await page.textContent('#flows tr[data-flow="ingest"] [data-cell="written"]'))?.replaceAll(',', ''))
      expect(await until('all rows on the page', shown, n => n >= DEVICES * 360)).toBe(await writtenOf('ingest'))
      const [row] = await bench.sql(`SELECT count() AS n FROM {db}.${name}`)
      expect(await shown()).toBe(Number(row.n))
      await page.waitForSelector('#flows tr[data-flow="ingest"] [data-cell="lag"]:has-text("caught up")')
      expect(await page.locator('#services li .state[data-level="ok"]').count()).toBeGreaterThanOrEqual(2)
    })

    test('a screenshot without a hand on the browser ends, and shows figures and series', async () => {
      const html = await browser.screen(address, 5_000)
      expect(html).toMatch(/<h1>All is well<\/h1>/)
      expect(html).toContain('data-flow="ingest"')
      expect(html).toMatch(/data-markers="0"[\s\S]*<canvas/)
    })

    test('only series on the screen are asked for and drawn', async () => {
      await page.waitForSelector('.card canvas')
      expect(await page.textContent('#key-count')).toBe(`${DEVICES} keys, the latest strange ones first`)
      const keys = asked
        .filter(url => url.includes(`/api/views/${view}?`))
        .map(url => new URL(url).searchParams.getAll('key').length)
      expect(keys.length).toBeGreaterThan(0)
      expect(Math.max(...keys)).toBeLessThan(DEVICES / 2)
      expect(await page.locator('.card canvas').count()).toBeLessThan(DEVICES / 2)
    })

    test('a burst appears by itself: in the verdict, in its series, in the list', async () => {
      await burst(bench, name, 'd17')
      await page.waitForSelector('#verdict:not([data-level="ok"]) h1:has-text("d17")')
      // what is wrong stands once, in the findings; beside the headline stands what works
      expect(await page.textContent('#verdict .detail')).toBe('2 of 2 flows running, 1 at their end, 3 of 3 services up')
      const strange = page.locator('.card').first()
      await page.waitForSelector(`.card:first-child[data-key='["d17"]']:not([data-markers="0"])[data-markers]`)
      expect(await strange.getAttribute('data-level')).not.toBe('ok')
      expect(await strange.getAttribute('data-band')).toBe('true')
      // the marks are there, in their colour
      const marks = (await page.evaluate(
        `(() => {
        const canvas = document.querySelector('.card canvas')
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
        const probe = document.createElement('canvas').getContext('2d')
        probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--critical').trim()
        probe.fillRect(0, 0, 1, 1)
        const [r, g, b] = probe.getImageData(0, 0, 1, 1).data
        let n = 0
        for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) n++
        return n
      })()`,
      )) as number
      expect(marks).toBeGreaterThan(15)

      const told = (await Promise.all((await bench.records(`${name}-anomalies`)).map(bench.decode))) as {
        status: string
        score: number
        key: Record<string, string>
        features: Record<string, { value: number }>
      }[]
      const raised = told.filter(a => a.status === 'raised' && a.key.device === 'd17')
      const rows = page.locator('#anomalies tbody tr[data-id]', { hasText: 'd17' })
      await until(
        'a row for each alert',
        () => rows.count(),
        n => n === raised.length,
      )
      const scores = await rows.locator('td.n').allTextContents()
      expect(scores.sort()).toEqual(raised.map(a => a.score.toFixed(1)).sort())
    })

    test('what was found stands in the list without a tense, and each view says of how many keys', async () => {
      const what = await page
        .locator('#anomalies tbody tr[data-id]', { hasText: 'd17' })
        .first()
        .locator('td')
        .nth(1)
        .textContent()
      expect(what).toMatch(/^(mean|peak) [\d.]+, expected /)
      expect(await page.textContent('#views .tabs .badge')).toMatch(/^\d+ keys?$/)
    })

    test('a card shows the column in which its key is strange, with its name, until the reader chooses one', async () => {
      const rows = (await anomalies()).filter(a => a.key.device === 'd17' && a.status !== 'retracted')
      expect(await page.inputValue('#column')).toBe('')
      // what a card of a key that is not strange shows is another one
      expect(await page.textContent('.card:nth-child(2) .latest span')).not.toBe(rows[0].feature)
      expect(await page.textContent('.card:first-child .latest span')).toBe(rows[0].feature)
      await page.selectOption('#column', 'n')
      expect(await page.textContent('.card:first-child .latest span')).toBe('n')
    })

    test('marks of an axis of counts are whole', async () => {
      // what is written on the canvas of a chart that is drawn anew
      await page.evaluate(`(() => {
        globalThis.written = []
        const { fillText } = CanvasRenderingContext2D.prototype
        CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
          globalThis.written.push(text)
          return fillText.call(this, text, ...rest)
        }
      })()`)
      await page.selectOption('#column', 'mean')
      await page.evaluate('globalThis.written.length = 0')
      await page.selectOption('#column', 'n')
      const marks = async () => ((await page.evaluate('globalThis.written')) as string[]).filter(t => /^[\d.]+$/.test(t))
      const written = await until('marks', marks, all => all.includes('2'))
      expect(written.filter(t => t.includes('.'))).toEqual([])
      await page.selectOption('#column', 'mean')
    })

    test('the histogram is as wide as its place', async () => {
      // as it is after loading: nothing has changed the size of this window
      const fresh = await browser.context.newPage()
      await fresh.goto(address)
      const widths = () =>
        fresh.evaluate("['#histogram', '#histogram canvas'].map(s => document.querySelector(s).clientWidth)") as Promise<number[]>
      await until('the whole width', widths, ([place, chart]) => place > 500 && chart === place)
      await fresh.close()
    })

    test('filters and search', async () => {
      const rows = page.locator('#anomalies tbody tr[data-id]')
      await page.fill('#anomaly-search', 'd17 level')
      await until(
        'rows that were searched for',
        () => rows.count(),
        n => n > 0,
      )
      await page.fill('#anomaly-search', 'no such thing')
      await page.waitForSelector('#anomalies tbody tr.none')
      await page.fill('#anomaly-search', '')
      await page.fill('#search', 'd3')
      await until(
        'series that were searched for',
        () => page.locator('.card').count(),
        n => n === 10,
      )
      // a row leads to its series
      await rows.first().click()
      await card('d17').waitFor()
      expect(await page.inputValue('#search')).toBe('d17')
    })

    test('a finding leads to its series and to the column that is strange', async () => {
      await page.fill('#search', '')
      await page.selectOption('#column', 'n')
      await page.waitForSelector(`.card[data-key='["d17"]'] .note:has-text(", in ")`)
      await page.locator('.finding', { hasText: 'd17' }).first().click()
      await page.waitForSelector(`.card:first-child[data-key='["d17"]'][data-chosen="true"]`)
      expect(await page.inputValue('#search')).toBe('d17')
      const [{ feature }] = (await anomalies()).filter(a => a.key.device === 'd17')
      expect(['mean', 'peak']).toContain(feature)
      expect(await page.inputValue('#column')).toBe(feature)
      // told in the reader's time
      const text = await page.locator('.finding', { hasText: 'd17' }).first().textContent()
      expect(text).toMatch(/ (is|was) .* expected /)
      expect(text).not.toMatch(/T\d\d:\d\d/)
    })

    test('a tall screen gets all its series, more than one question may ask for', async () => {
      await page.fill('#search', '')
      await page.setViewportSize({ width: 1280, height: 5_000 })
      for (const count of [24, 36]) {
        await page.click('#more-keys')
        await until(
          `${count} cards`,
          () => page.locator('.card').count(),
          n => n === count,
        )
      }
      await until(
        'a chart in each',
        () => page.locator('.card canvas').count(),
        n => n === 36,
      )
    })

    test.each([
      [1280, 800],
      [390, 844],
    ])('fits %p x %p', async (width, height) => {
      await page.setViewportSize({ width, height })
      expect(await overflow()).toBeLessThanOrEqual(0)
    })

    test('nothing failed, and nobody else was asked', () => {
      expect(problems).toEqual([])
      expect([...new Set(asked.map(url => new URL(url).origin))]).toEqual([address])
    })

    test('a worker that is gone is not taken for one that is well', async () => {
      worker.child.kill('SIGTERM')
      await worker.ended
      await page.waitForSelector('#verdict[data-level="unknown"]')
      expect(await page.textContent('#verdict h1')).toBe('The worker does not answer')
    })
  },
)

describe('after a restart', () => {
  test('anomalies are there again, and the bands are what the detector said at the time', async () => {
    if (worker.child.exitCode === null) {
      if (!CHROMIUM) await burst(bench, name, 'd17')
      await until('the burst', anomalies, rows => rows.some(a => a.key.device === 'd17'))
      worker.child.kill('SIGTERM')
      await worker.ended
    }
    await startWorker()
    // the first answer holds what is in the topic
    const rows = await anomalies()
    const [first] = rows.filter(a => a.key.device === 'd17').reverse()
    expect(first.features.mean.value).toBeCloseTo(95, 6)
    const { series } = await get<{ series: readonly Series[] }>(`/api/views/${view}?key=d17&windows=240`)
    const { window_end, bands, columns } = series[0]
    const at = window_end.indexOf(first.window_end)
    const band = bands['level.mean']
    expect([columns.mean[at], band.expected[at], band.lower[at], band.upper[at]]).toEqual(
      (['value', 'expected', 'lower', 'upper'] as const).map(part => expect.closeTo(Number(first.features.mean[part]), 6)),
    )
    // warming up, nothing is expected
    expect(band.expected.slice(0, 59).every(v => v === null)).toBe(true)
  })

  test('the state of the worker comes at once and goes on coming', async () => {
    const response = await fetch(`${address}/api/events`)
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    let text = ''
    const times: number[] = []
    while (times.length < 3) {
      const { value } = await reader.read()
      text += Buffer.from(value as Uint8Array).toString()
      times.push(performance.now())
    }
    await reader.cancel()
    const [message] = text.split('\n\n')
    expect(message).toMatch(/^event: state\ndata: /)
    const { status, verdict } = JSON.parse(message.slice(message.indexOf('data: ') + 6))
    expect(status.flows.map((f: { flow: string }) => f.flow)).toEqual(['make', 'ingest', 'detect'])
    expect(verdict.level).toMatch(/ok|warning|critical/)
  })
})
