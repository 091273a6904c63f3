import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import type { Inspection } from '../../src/inspect/inspection.ts'

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** What axe finds serious on a page; nothing, if it is well. */
export async function barriersOn(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: axe })
  return page.evaluate(async () => {
    const { violations } = await (
      globalThis as unknown as {
        axe: {
          run(): Promise<{
            violations: { id: string; impact: string; nodes: { html: string }[] }[]
          }>
        }
      }
    ).axe.run()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`)
  })
}

/** Goes to a view, and waits until it is drawn. */
export async function show(page: Page, view: string): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash
  }, view)
  await page.locator('#panel h2').first().waitFor()
}

/** Every view that a recording's page has, one address each. */
export async function viewsOf(page: Page, { compared }: Inspection): Promise<string[]> {
  await show(page, 'tour')
  const steps = await page.locator('.tour-steps a').count()
  const chapters = ['fields', 'softmax', 'rate', 'freezing', 'overfitting']
  return [
    'image',
    ...Array.from({ length: steps }, (_, i) => `tour/${i + 1}`),
    ...chapters.map((chapter) => `chapters/${chapter}`),
    'scenarios',
    'exercises',
    'network',
    'timeline/3',
    'tensors',
    'numbers',
    'roofline',
    ...(compared.length ? ['compare'] : []),
    'lab',
  ]
}

/** The text of the view, where nothing may be missing. */
async function textOf(page: Page): Promise<string> {
  const text = (await page.locator('#panel').textContent()) ?? ''
  assert.doesNotMatch(text, /undefined|\bNaN\b|\[object/)
  return text
}

/** Moves every slider of a view by the keyboard: each changes what stands on the page. */
async function moveSliders(page: Page): Promise<number> {
  const sliders = page.locator('#panel input[type=range]')
  const count = await sliders.count()
  for (let i = 0; i < count; i++) {
    const slider = sliders.nth(i)
    await slider.focus()
    for (const key of ['End', 'Home']) {
      const before = await slider.inputValue()
      const text = await textOf(page)
      await page.keyboard.press(key)
      if ((await slider.inputValue()) === before) continue
      await page.waitForFunction(
        (old) => document.querySelector('#panel')?.textContent !== old,
        text,
      )
    }
    await page.keyboard.press('ArrowRight')
  }
  return count
}

/**
 * Goes through every interactive step of a recording's page as a reader would.
 * @returns how many boxes, tour steps, sliders and exercises there were
 */
export async function walk(page: Page, inspection: Inspection) {
  await show(page, 'image')
  const boxes = page.locator('a.box')
  const names = await boxes.locator('b').allTextContents()
  for (const [i, name] of names.entries()) {
    await boxes.nth(i).click()
    await page.locator('.chosen-layer h3', { hasText: name }).waitFor()
    assert(await page.locator('.chosen-layer canvas').count(), `${name} has no image`)
    assert.match(await textOf(page), /makes\d/)
  }
  const bars = await page.locator('.bars li').count()
  assert(bars >= inspection.top.length, 'a class has no bar')
  await show(page, 'tour/1')
  const steps = await page.locator('.tour-steps a').count()
  let sliders = 0
  for (let step = 1; step <= steps; step++) {
    await page.locator('.tour h3', { hasText: `${step}. ` }).waitFor()
    const shown = page.locator('.tour article')
    assert(((await shown.textContent()) ?? '').length > 150, `step ${step} says little`)
    // No step says that it is for other recordings: each has something to look at.
    assert(
      await shown.locator('canvas, input, table, .bars, .signed').count(),
      `step ${step} shows nothing`,
    )
    sliders += await moveSliders(page)
    if (step < steps) await page.getByRole('button', { name: /^Next: / }).click()
  }
  for (const chapter of ['fields', 'softmax', 'rate', 'freezing', 'overfitting']) {
    await show(page, `chapters/${chapter}`)
    const moved = await moveSliders(page)
    assert(moved || !inspection.top.length, `nothing moves in ${chapter}`)
    sliders += moved
  }
  await show(page, 'scenarios')
  assert.equal(await page.locator('.situation svg').count(), 4)
  const marked = await page.locator('.situation.recorded h3').allTextContents()
  assert.deepEqual(
    marked.map((text) => text.split(' ')[0]),
    inspection.plan ? [inspection.plan.scenario] : [],
  )
  await show(page, 'exercises')
  const answers = page.locator('.exercises details')
  const exercises = await answers.count()
  for (let i = 0; i < exercises; i++) {
    await answers.nth(i).locator('summary').click()
    assert(((await answers.nth(i).textContent()) ?? '').length > 30, `answer ${i} is empty`)
  }
  await textOf(page)
  return { boxes: names.length, steps, sliders, exercises }
}
