import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromium } from '../support/chromium.ts'
import { buildWebPage, noBarrier, take, type WebPage } from '../support/webPage.ts'

const camera = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']

describe.skipIf(!chromium)('the page for somebody without images or training', () => {
  let web: WebPage
  beforeAll(async () => {
    web = await buildWebPage(...camera)
  })
  afterAll(() => web?.close())

  test('one click trains on sample images; the result is tried, explained, inspected, saved and opened again', async () => {
    const { page, complaints } = await web.open()
    page.on('dialog', (dialog) => void dialog.accept())
    await page.getByRole('button', { name: 'Try it with sample images' }).click()
    const live = page.getByTestId('live')
    await live.locator('.previews li').first().waitFor()
    expect(await live.locator('.previews li').count()).toBe(6)
    const accuracy = page.getByTestId('accuracy')
    await accuracy.waitFor()
    expect(Number(await accuracy.getAttribute('data-value'))).toBeGreaterThan(0.7)

    await page.getByRole('button', { name: 'Try the sample images' }).click()
    expect(await page.getByTestId('summary').textContent()).toMatch(/^19 images: .*clock/)
    const table = await readFile(await take(page, 'Save as CSV', web.folder), 'utf8')
    expect(table.trim().split('\r\n')).toHaveLength(20)
    expect(table).toMatch(/^image,prediction,confidence,nearest class,note\r\nclock /)
    await page
      .getByRole('button', { name: /^Where does it look/ })
      .first()
      .click()
    await page.getByTestId('heat').waitFor()
    await noBarrier(page)

    const [tab] = await Promise.all([
      page.context().waitForEvent('page'),
      page
        .getByRole('button', { name: /^Look inside/ })
        .first()
        .click(),
    ])
    tab.on('pageerror', (error) => complaints.push(String(error)))
    await tab.getByRole('heading', { level: 1 }).waitFor()
    expect(await tab.title()).toMatch(/Graft/)
    await tab.close()

    const project = await take(page, 'Save the project', web.folder)
    const before = await accuracy.textContent()
    await page.reload()
    await page.getByLabel('Open a saved project').setInputFiles(project)
    await accuracy.waitFor()
    expect(await accuracy.textContent()).toBe(before)
    // A class is renamed, and what was computed of its images is still known.
    await page.getByLabel('Name of the class clock').fill('time')
    await page.getByLabel('Name of the class clock').press('Enter')
    await page.getByLabel('Name of the class time').waitFor()
    const results = page.getByRole('region', { name: 'How good is it?' })
    await results.getByText('time', { exact: true }).first().waitFor()
    expect(await results.getByText('clock', { exact: true }).count()).toBe(0)
    await blockedByFields(page)
    expect(complaints).toEqual([])
    await page.close()
  }, 240_000)

  test('the webcam fills classes while a button is held, and what it sees is named', async () => {
    const { page, complaints } = await web.open({ width: 390, dark: true })
    await page.getByRole('button', { name: 'Use the webcam' }).click()
    await page.locator('video.camera').waitFor()
    await page.getByLabel('Name of the class class 1').fill('green')
    await page.getByLabel('Name of the class class 1').press('Enter')
    expect(await page.getByTestId('missing').textContent()).toMatch(/“green” has no images/)
    for (const name of ['green', 'class 2']) {
      const card = page.locator('.card', { has: page.getByLabel(`Name of the class ${name}`) })
      const hold = card.getByRole('button', { name: `Hold to record ${name}` })
      await hold.focus()
      await page.keyboard.down('Space')
      await expect.poll(() => card.locator('.thumbnails img').count()).toBeGreaterThan(6)
      await page.keyboard.up('Space')
    }
    await noBarrier(page)
    await page.getByRole('button', { name: 'Train', exact: true }).click()
    await page.getByTestId('accuracy').waitFor()
    await page.getByRole('button', { name: 'Try it with the webcam' }).click()
    await page.getByTestId('camera-answer').getByTestId('outcome').waitFor()
    await noBarrier(page)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('without a camera a sentence says so, and files still do', async () => {
    const { page } = await web.open()
    await page.evaluate(() => {
      navigator.mediaDevices.getUserMedia = () =>
        Promise.reject(new DOMException('none', 'NotFoundError'))
    })
    await page.getByRole('button', { name: 'Use the webcam' }).click()
    await expect
      .poll(() => page.getByRole('alert').textContent())
      .toMatch(/There is no camera.*add image files/)
    await page.close()
  })
})

/** A field that cannot be used says so, and so does the start button, until it is mended. */
async function blockedByFields(page: Page): Promise<void> {
  await page.getByText('How it learns').click()
  const rounds = page.getByLabel('Rounds', { exact: true })
  const start = page.getByRole('button', { name: 'Train again' })
  for (const wrong of ['0', '', '1e99', 'ten']) {
    await rounds.fill(wrong)
    await expect.poll(() => start.isDisabled()).toBe(true)
    expect(await page.getByTestId('missing').textContent()).toMatch(
      /“Rounds”: Write a whole number/,
    )
    expect(await rounds.getAttribute('aria-invalid')).toBe('true')
  }
  await rounds.fill('1')
  await expect.poll(() => start.isDisabled()).toBe(false)
}
