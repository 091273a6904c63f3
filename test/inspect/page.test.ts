import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../src/base/random.ts'
import type { Inspection } from '../../src/inspect/inspection.ts'
import type { LocalServer } from '../../src/inspect/node/localServer.ts'
import { unpackTensor } from '../../src/inspect/pack.ts'
import { inspectorPage, serveInspection } from '../../src/inspector.ts'
import type { Conv2dAttrs } from '../../src/ops/conv2d.ts'
import { conv2d } from '../../src/reference/conv2d.ts'
import { ndArray } from '../../src/reference/ndarray.ts'
import { relu } from '../../src/reference/relu.ts'
import { chromium, complaintsOf, openChromium } from '../support/chromium.ts'
import { inspectSmall } from './inspection.ts'

describe.skipIf(!chromium)('the inspector in Chromium', () => {
  let [folder, url, inspection]: [string, string, Inspection | null] = ['', '', null]
  let browser: Browser
  let served: LocalServer
  beforeAll(async () => {
    inspection = await inspectSmall()
    const html = await inspectorPage(inspection)
    folder = await mkdtemp(join(tmpdir(), 'graft-inspect-'))
    await writeFile(join(folder, 'page.html'), html)
    url = pathToFileURL(join(folder, 'page.html')).href
    served = await serveInspection(inspection)
    browser = await openChromium()
  })
  afterAll(async () => {
    await browser?.close()
    served?.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function open(
    view: string,
    { width = 1440, from = url } = {},
  ): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage({ viewport: { width, height: 900 } })
    const complaints = complaintsOf(page)
    page.on('request', (request) => {
      if (from === url && request.url().startsWith('http'))
        complaints.push(`the page asks for ${request.url()}`)
    })
    await page.goto(`${from}#${view}`)
    await page.locator('#panel h2').first().waitFor()
    return { page, complaints }
  }

  test('the receptive field of any output adds up to the float64 reference: fifty of them, corners included', async () => {
    const { page, complaints } = await open('tensors')
    const random = new Random(11)
    const calls =
      inspection?.calls.filter(
        ({ pass, operator }) => pass === 'forward' && operator === 'conv2d',
      ) ?? []
    const arrays = (keys: Readonly<Record<string, string>>, name: string) => {
      const packed = inspection?.tensors[keys[name] ?? '']
      if (!packed) throw new Error(`there is no ${name}`)
      return ndArray(unpackTensor(packed), packed.shape)
    }
    let checked = 0
    for (const call of calls) {
      const sum = conv2d(
        arrays(call.tensors, 'x'),
        arrays(call.tensors, 'weight'),
        arrays(call.tensors, 'bias'),
        call.attrs as unknown as Conv2dAttrs,
      )
      const y = relu(sum)
      const [, c = 1, h = 1, w = 1] = y.shape
      const corners = [0, h - 1].flatMap((i) => [0, w - 1].map((j) => [0, random.below(c), i, j]))
      for (const at of [
        ...corners,
        ...Array.from({ length: 6 }, () => [0, random.below(c), random.below(h), random.below(w)]),
      ]) {
        const [, o = 0, i = 0, j = 0] = at
        await page.evaluate(
          (hash) => {
            location.hash = hash
          },
          `tensors/${call.layer}/y/${at.join('/')}`,
        )
        const shown = page.locator('.explain', {
          has: page.locator('h3', { hasText: `y[${at.join(', ')}]` }),
        })
        expect(Number(await shown.getAttribute('data-result'))).toBeCloseTo(
          y.data[(o * h + i) * w + j] ?? Number.NaN,
          10,
        )
        checked++
      }
    }
    expect(checked).toBe(50)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('a ReLU without a launch of its own says whose launch computes it, and its numbers are written out from there', async () => {
    const { page, complaints } = await open('network')
    // Names are apart from the figures beside them, whichever way they are read.
    const [best] = inspection?.top ?? []
    expect(await page.locator('.facts bdi').allTextContents()).toEqual([
      best?.name,
      inspection?.target,
    ])
    expect(await page.locator('.facts').textContent()).toMatch(
      /Taken for class \d, [\d.]+ %\. Loss [\d.]+ for class 3\. Graft/,
    )
    expect(
      await page
        .locator('.layer', { hasText: 'features.1' })
        .first()
        .locator('.what')
        .textContent(),
    ).toBe('ReLU, in the launch of features.0')
    await page.evaluate(() => {
      location.hash = 'tensors/features.1/y/0/1/3/4'
    })
    await page.getByText('The launch of features.0 computes this too').waitFor()
    expect(await page.locator('.formula-line').textContent()).toMatch(
      /^y\[0, 1, 3, 4\] = max\(0, bias\[1\] \+ Σ/,
    )
    expect(await page.locator('figure', { hasText: 'x, what comes in' }).count()).toBe(0)
    const explain = page.locator('.explain')
    expect(Number(await explain.getAttribute('data-result'))).toBeCloseTo(
      Number(await explain.getAttribute('data-stored')),
      4,
    )
    expect(complaints).toEqual([])
    await page.close()
  })

  test('figures have their units, and what takes the time is named whether it computes or only moves numbers', async () => {
    const { page } = await open('roofline')
    const dispatches = inspection?.dispatches ?? []
    if (inspection?.peak) {
      const longest = dispatches
        .toSorted((a, b) => (b.milliseconds ?? 0) - (a.milliseconds ?? 0))
        .slice(0, 12)
      const links = await page
        .locator('tbody a')
        .evaluateAll((all) => all.map((link) => Number(link.getAttribute('href')?.split('/')[1])))
      expect(links).toEqual(longest.map(({ index }) => index))
    }
    const moving = dispatches.findIndex(({ cost }) => cost?.flops === 0)
    expect(moving).toBeGreaterThanOrEqual(0)
    await page.evaluate((hash) => {
      location.hash = hash
    }, `timeline/${moving}`)
    await expect
      .poll(() => page.locator('.facts-list').textContent())
      .toMatch(/workno arithmetic, [\d.]+ k?B/)
    await page.evaluate(() => {
      location.hash = 'compare'
    })
    const heads = page.locator('thead tr').nth(1).locator('th')
    expect(await heads.allTextContents()).toEqual([
      'dispatches',
      'GPU time',
      'dispatches',
      'GPU time',
    ])
    await page.evaluate(() => {
      location.hash = 'numbers'
    })
    await page.getByRole('link', { name: 'the loss' }).first().click()
    await page.locator('figure', { hasText: 'logits' }).first().waitFor()
    await page.close()
  })

  test('below an image stand the least and the greatest of its numbers, and the rows of a wide matrix are broken into lines', async () => {
    const { page } = await open('tensors/the loss')
    const caption = (title: string) =>
      page.locator('figure', { hasText: title }).first().locator('.readout').textContent()
    expect(await caption('y, what goes out')).toBe(
      Number(inspection?.loss?.toPrecision(6)).toString(),
    )
    expect(await caption('dy, the gradient')).toBe('1')
    await page.evaluate(() => {
      location.hash = 'tensors/classifier.1/weight/3/70'
    })
    const call = inspection?.calls.find(
      ({ layer, pass }) => layer === 'classifier.1' && pass === 'forward',
    )
    const packed = inspection?.tensors[call?.tensors.weight ?? '']
    if (!packed) throw new Error('there is no weight')
    const [rows = 0, columns = 0] = packed.shape
    expect(rows).toBeLessThanOrEqual(32)
    expect(columns).toBeGreaterThan(70)
    const figure = page.locator('figure', { hasText: 'weight' }).first()
    const [low, high] = [Math.min(...unpackTensor(packed)), Math.max(...unpackTensor(packed))].map(
      (value) => Number(value.toPrecision(6)),
    )
    expect(await caption('weight')).toBe(`${low} to ${high}`)
    // Number 70 of row 3 lies on the second line of the fourth tile, and is found there by the
    // pointer.
    const canvas = figure.locator('canvas')
    const [frame, box] = [await figure.locator('.frame').boundingBox(), await canvas.boundingBox()]
    if (!frame || !box) throw new Error('nothing is framed')
    await canvas.hover({
      position: { x: frame.x - box.x + frame.width / 2, y: frame.y - box.y + frame.height / 2 },
    })
    expect(await caption('weight')).toMatch(/^weight\[3, 70\] = /)
    await page.close()
  })

  test('an address that was cut short opens the first view', async () => {
    const { page, complaints } = await open('tensors/%E2%8')
    expect(await page.locator('h2').first().textContent()).toBe('What the network sees')
    expect(complaints).toEqual([])
    await page.close()
  })

  test('a click on an image, and the keyboard, write a number out', async () => {
    const { page } = await open('tensors/features.3')
    const canvas = page.locator('figure', { hasText: 'y, what goes out' }).locator('canvas')
    await canvas.click({ position: { x: 5, y: 5 } })
    await page.locator('.explain h3', { hasText: /^y\[0, 0, \d+, \d+\]$/ }).waitFor()
    const before = await page.locator('.explain h3').textContent()
    await canvas.focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.locator('.explain h3').textContent()).not.toBe(before)
    await page.close()
  })

  test.each([1440, 390])(
    'at %i pixels what is clicked stays under the pointer, and what it was made of is in sight',
    async (width) => {
      const { page } = await open('tensors/features.3', { width })
      for (const name of ['y, what goes out', 'dweight, the gradient']) {
        const canvas = page.locator('figure', { hasText: name }).locator('canvas').first()
        await canvas.scrollIntoViewIfNeeded()
        const before = await canvas.boundingBox()
        await canvas.click({ position: { x: 5, y: 5 } })
        const heading = page.locator('.explain h3', { hasText: /^(y|dweight)\[/ })
        await expect
          .poll(() => heading.textContent())
          .toMatch(name.startsWith('y') ? /^y\[/ : /^dweight\[/)
        const [after, told] = [await canvas.boundingBox(), await heading.boundingBox()]
        expect(told?.y).toBeGreaterThan((after?.y ?? 0) + (after?.height ?? 0))
        expect(told?.y).toBeLessThan(900 - 100)
        // Only as far as the heading asks for is anything moved, and the image stays whole.
        expect(after?.y).toBeLessThanOrEqual((before?.y ?? 0) + 1)
        expect(after?.y).toBeGreaterThanOrEqual(0)
      }
      await page.close()
    },
  )

  test('tabs and dispatches are walked through by the keyboard', async () => {
    const { page } = await open('network')
    await page.locator('[role=tab][aria-selected=true]').focus()
    await page.keyboard.press('ArrowRight')
    await page.locator('h2', { hasText: 'Dispatches' }).waitFor()
    await page.locator('.dispatches button[aria-current=true]').focus()
    await page.keyboard.press('ArrowDown')
    await expect
      .poll(() => page.locator('.dispatches button[aria-current=true] .index').textContent())
      .toBe('1')
    await page.close()
  })

  test('the tour measures one convolution in four ways, all of them right', async () => {
    const { page, complaints } = await open('tour/7', { from: served.url })
    await page.getByRole('button', { name: 'Measure on this GPU' }).click()
    await expect
      .poll(() => page.locator('tr[data-measured=yes]').count(), { timeout: 90_000 })
      .toBe(4)
    for (const error of await page.locator('tr[data-measured=yes] td:last-child').allTextContents())
      expect(Number(error)).toBeLessThan(1e-5)
    expect(complaints).toEqual([])
    await page.close()
  })

  describe('a kernel that is edited', () => {
    async function edited(replace: (text: string) => string): Promise<Page> {
      const { page } = await open('lab/relu/forward.wgsl', { from: served.url })
      const editor = page.locator('.cm-content[aria-label="shaders/relu/forward.wgsl"]')
      const text = inspection?.shaders['relu/forward.wgsl'] ?? ''
      await editor.click()
      await page.keyboard.press('ControlOrMeta+a')
      await editor.evaluate((element, pasted) => {
        const clipboardData = new DataTransfer()
        clipboardData.setData('text/plain', pasted)
        element.dispatchEvent(
          new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }),
        )
      }, replace(text))
      await page.getByRole('button', { name: 'Run', exact: true }).click()
      return page
    }

    test('runs, and what it computes wrong is seen; reset brings the original back', async () => {
      const page = await edited((text) => text.replace('v < vec4f()', 'v > vec4f()'))
      await page.locator('[data-testid=verdict].wrong').waitFor({ timeout: 60_000 })
      const timing = page.getByText(
        /^It takes [\d.]+ (ms|µs) in a larger case; the original, in turns with it, takes [\d.]+ (ms|µs)\.$/,
      )
      expect(await timing.count()).toBe(1)
      await page.getByRole('button', { name: 'Reset' }).click()
      await page.getByRole('button', { name: 'Run', exact: true }).click()
      await page.locator('[data-testid=verdict].right').waitFor({ timeout: 60_000 })
      await page.close()
    })

    test('shows an error of the compiler on its line', async () => {
      const page = await edited((text) => text.replace('let v = x[i];', 'let v = z[i];'))
      const problem = page.locator('[data-testid=problem]')
      await problem.waitFor({ timeout: 60_000 })
      const line =
        (inspection?.shaders['relu/forward.wgsl'] ?? '')
          .split('\n')
          .findIndex((one) => one.includes('let v = x[i];')) + 1
      expect(await problem.textContent()).toContain(
        `relu/forward.wgsl, line ${line}: unresolved value 'z'`,
      )
      await expect.poll(() => page.locator('.cm-lint-marker-error').count()).toBe(1)
      await page.close()
    })
  })
})
