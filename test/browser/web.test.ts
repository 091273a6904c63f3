import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { chromium as launcher, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEngineOn } from '../../src/createEngine.ts'
import { openEmoji } from '../../src/data/emoji.ts'
import { openImageFolder } from '../../src/data/imageFolder.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import { evaluate, predict } from '../../src/train/evaluate.ts'
import { fit } from '../../src/train/fit.ts'
import { loadRun } from '../../src/train/runFolder.ts'
import { applyScenario } from '../../src/transfer/scenario.ts'
import { readArchive } from '../../src/weights/archive.ts'
import { loadWeights } from '../../src/weights/load.ts'
import { writeSafetensors } from '../../src/weights/safetensors.ts'
import { bytesSource } from '../../src/weights/source.ts'
import { chromium } from '../support/chromium.ts'
import { serveFolder } from '../support/staticSite.ts'
import { buildWebPage, noBarrier, take, type WebPage } from '../support/webPage.ts'

if (!chromium)
  console.log('the page in a browser: skipped, no Chromium is installed (GRAFT_CHROMIUM names one)')

const classes = ['clock', 'flag', 'food', 'heart']
const each = 16
const [epochs, lr] = [8, 0.01]

describe.skipIf(!chromium)('the built page in a real Chromium', () => {
  let web: WebPage
  let [folder, photos] = ['', '']
  const open = (options?: Parameters<WebPage['open']>[0]) => web.open(options)

  beforeAll(async () => {
    web = await buildWebPage()
    folder = web.folder
    photos = join(folder, 'emoji')
    await copyEmoji(photos)
  })
  afterAll(() => web?.close())

  async function choose(page: Page, path: string): Promise<void> {
    await page.getByLabel(/Choose (a|another) folder/).setInputFiles(path)
  }

  /** Unfolds the settings, which most people leave alone. */
  async function settings(page: Page): Promise<void> {
    const fold = page.getByText('How it learns')
    await fold.waitFor()
    if (!(await page.getByText('few, similar').isVisible())) await fold.click()
  }

  test('trains to the accuracy of Node, and what it gives to download predicts in Node as it did', async () => {
    const { page, complaints } = await open()
    await choose(page, photos)
    await settings(page)
    await page.getByText('few, similar').click()
    await page.getByLabel('Rounds', { exact: true }).fill(String(epochs))
    await page.getByLabel('Size of a step').fill(String(lr))
    const plan = page.getByTestId('plan')
    await expect
      .poll(() => plan.textContent())
      .toMatch(/small-similar on alexnet-64, from pretrained weights/)
    expect(await plan.locator('.layer.frozen').count()).toBe(7)
    expect(await plan.locator('.layer.new').textContent()).toMatch(/FC 512 to 4/)
    await page.getByRole('button', { name: 'Train', exact: true }).click()
    const shown = page.getByTestId('accuracy')
    await shown.waitFor()
    const accuracy = Number(await shown.getAttribute('data-value'))
    expect(await page.getByTestId('skipped').textContent()).toMatch(
      /^1 broken image left out.*food\/broken\.png: not a JPEG/,
    )
    await noBarrier(page)
    const image = join(photos, 'flag', '0.png')
    await page.getByLabel('Choose images').setInputFiles(image)
    const answer = page.getByTestId('answers').locator('.bars li')
    await answer.first().waitFor()
    const answers = await answer.allTextContents()
    const safetensors = await take(page, 'safetensors', folder)
    const zip = await take(page, 'Run folder (.zip)', folder)
    const onnx = await take(page, 'ONNX', folder)
    expect(complaints).toEqual([])
    await page.close()

    // What Chromium brings too; elsewhere than on Linux x64 both have a GPU.
    const adapter = process.platform === 'linux' && process.arch === 'x64' ? 'swiftshader' : 'auto'
    const engine = await createEngineOn(nodeHost, { adapter })
    const data = await openImageFolder(photos)
    const inNode = await alexnet(engine, { weights: 'alexnet-64-tinyimagenet100' })
    applyScenario(inNode, { scenario: 'small-similar', classes: classes.length })
    const { epochs: trained } = await fit(inNode, data, { epochs, lr })
    console.log(`in Chromium ${accuracy}, in Node ${trained.at(-1)?.valAccuracy}`)
    // Emoji are transparent, and the two blend them with white by their own rounding: an image on
    // the border may fall to either side.
    expect(Math.abs(accuracy - (trained.at(-1)?.valAccuracy ?? Number.NaN))).toBeLessThanOrEqual(
      1 / data.val.length + 1e-9,
    )
    expect(accuracy).toBeGreaterThan(0.6)

    const loaded = await alexnet(engine, { weights: safetensors })
    expect(loaded.classNames).toEqual(classes)
    expect((await evaluate(loaded, data)).accuracy).toBeCloseTo(accuracy, 10)
    const [prediction] = await predict(loaded, [image])
    expect(prediction?.top.map((one) => one.class)).toEqual(
      answers.map((text) => classes.find((name) => text.startsWith(name))),
    )
    for (const [i, { probability }] of (prediction?.top ?? []).entries())
      expect(
        Math.abs(100 * probability - Number(/([\d.]+) %$/.exec(answers[i] ?? '')?.[1])),
      ).toBeLessThan(0.5)

    await unpack(zip, folder)
    const run = await loadRun(engine, join(folder, 'emoji-small-similar'))
    expect((await evaluate(run.model, data)).accuracy).toBeCloseTo(accuracy, 10)
    expect(run.config).toMatchObject({
      classes,
      options: { weights: 'alexnet-64-tinyimagenet100', epochs, lr, seed: 0 },
    })
    expect(new Set(Object.keys((await loadWeights(onnx)).tensors))).toEqual(
      new Set(Object.keys((await loadWeights(safetensors)).tensors)),
    )
    for (const network of [inNode, loaded, run.model]) network.dispose()
    engine.dispose()
  })

  test('auto says what it measured; a stopped training keeps its last epoch; weights of one’s own are taken', async () => {
    const { page, complaints } = await open({ width: 390, dark: true })
    await noBarrier(page)
    await choose(page, photos)
    await settings(page)
    await page.getByRole('button', { name: 'Measure now' }).click()
    // The button that was pressed is gone; who pressed it by keyboard is not sent back to the top
    // of the page.
    const focused = () => page.evaluate(() => document.activeElement?.textContent)
    await expect.poll(focused).toBe('Stop this')
    await expect
      .poll(() => page.getByTestId('evidence').textContent(), { timeout: 60_000 })
      .toMatch(/auto picks small-.*a linear classifier on the frozen features/)
    expect(await focused()).toBe('The plan')
    await page.getByText('a file of mine').click()
    await page
      .getByLabel('Choose the file')
      .setInputFiles(join(folder, 'page/weights/alexnet-64-tinyimagenet100.safetensors'))
    await page.getByText('few, different').click()
    await expect
      .poll(() => page.getByTestId('plan').textContent())
      .toMatch(/small-different on alexnet-64, from pretrained/)
    await noBarrier(page)
    await page.getByLabel('Rounds', { exact: true }).fill('5000')
    await page.getByRole('button', { name: 'Train', exact: true }).click()
    // What is shown from the first step on is kept from the first round on.
    await page.locator('.chart svg').first().waitFor()
    await page.getByText('The best round so far is kept.').waitFor()
    await noBarrier(page)
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    await page.getByTestId('accuracy').waitFor()
    expect(await page.locator('main').textContent()).toMatch(/Stopped: epoch \d+ is kept/)
    expect(await focused()).toBe('Training')
    await noBarrier(page)
    expect(complaints).toEqual([])
    await page.close()
  })

  test('says what is wrong with a folder, with weights and with settings', async () => {
    const { page } = await open()
    const problem = page.getByRole('alert')
    await choose(page, join(photos, 'clock'))
    await expect.poll(() => problem.textContent()).toMatch(/is not in a class folder/)
    await choose(page, join(folder, 'one'))
    await expect
      .poll(() => problem.textContent())
      .toBe('one has only one class, "flag": add images of at least one more')
    await mkdir(join(folder, 'empty'), { recursive: true })
    await drop(page, join(folder, 'empty'))
    await expect.poll(() => problem.textContent()).toBe('images holds no image (JPEG, PNG or WebP)')
    await drop(page, photos)
    await expect
      .poll(() => page.getByTestId('found').textContent())
      .toMatch(/^emoji: 4 classes, 49 images to train on, 16 held out/)
    await settings(page)
    await page.getByText('few, similar').click()
    await page.getByText('a file of mine').click()
    await page.getByLabel('Choose the file').setInputFiles(join(photos, 'flag', '0.png'))
    await expect
      .poll(() => problem.textContent())
      .toMatch(/^0\.png: this is not a weights file that Graft knows/)
    expect(await page.getByRole('button', { name: 'Train', exact: true }).isDisabled()).toBe(true)
    const state = Object.entries((await loadWeights('alexnet-64-tinyimagenet100')).tensors)
    const named = (['student.', 'teacher.'] as const).flatMap((prefix) =>
      state.map(([name, array]) => [`${prefix}${name}`, array] as const),
    )
    const two = join(folder, 'two.safetensors')
    await writeFile(two, writeSafetensors(Object.fromEntries(named)))
    await page.getByLabel('Choose another file').setInputFiles(two)
    await expect
      .poll(() => problem.textContent())
      .toMatch(/"student\.", "teacher\.".*say which with “Prefix of the names” student\.$/)
    const prefix = page.getByLabel('Prefix of the names')
    await prefix.fill('teacher.')
    await prefix.press('Enter')
    await expect
      .poll(() => page.getByTestId('plan').textContent())
      .toMatch(/ignored, as they do not stand behind "teacher\."/)
    await noBarrier(page)
    await page.close()
  })

  test('its policy binds page and worker alike: no request leaves for elsewhere', async () => {
    const { page } = await open()
    const elsewhere = await serveFolder(folder)
    const reach = (url: string) =>
      fetch(url, { mode: 'no-cors' }).then(
        () => 'reached',
        () => 'refused',
      )
    expect(await page.evaluate(reach, elsewhere.url)).toBe('refused')
    expect(await page.workers()[0]?.evaluate(reach, elsewhere.url)).toBe('refused')
    expect(elsewhere.requests).toEqual([])
    elsewhere.close()
    await page.close()
  })

  test('where there is no WebGPU one message says what to do, and there is nothing else', async () => {
    const without = await launcher.launch({
      executablePath: chromium ?? '',
      args: ['--no-sandbox', '--disable-features=WebGPU'],
    })
    try {
      const page = await without.newPage({ viewport: { width: 390, height: 900 } })
      await page.goto(web.url)
      const alert = page.getByRole('alert')
      await expect
        .poll(() => alert.textContent())
        .toMatch(/needs WebGPU.*Chrome or Edge.*--enable-unsafe-webgpu.*Safari.*Firefox/)
      expect(await page.locator('input, button').count()).toBe(0)
      await noBarrier(page)
    } finally {
      await without.close()
    }
  })
})

/** A few emoji of each class, one broken image among them, and a folder of one class. */
async function copyEmoji(folder: string): Promise<void> {
  const data = await openEmoji()
  for (const name of classes) {
    const label = data.classes.indexOf(name)
    await mkdir(join(folder, name), { recursive: true })
    const some = data.train.filter((sample) => sample.label === label).slice(0, each)
    for (const [i, { source }] of some.entries())
      await cp(String(source), join(folder, name, `${i}.png`))
  }
  await cp(join(folder, 'flag'), join(dirname(folder), 'one', 'flag'), { recursive: true })
  await writeFile(join(folder, 'food', 'broken.png'), 'no image')
}

/**
 * Drops a folder as a person does: from the file manager, which alone can hand over folders. A
 * browser refuses a drop while it has not heard from the page that it takes the drag, which a busy
 * machine is slow to pass on: the drag is then begun again.
 */
async function drop(page: Page, path: string): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  const data = { items: [], files: [path], dragOperationsMask: 1 }
  const send = (type: 'dragEnter' | 'dragOver' | 'drop') =>
    devtools.send('Input.dispatchDragEvent', { type, x: 400, y: 400, data })
  await page.evaluate(() => {
    document.documentElement.dataset.dropped = 'no'
    document.addEventListener(
      'drop',
      () => Object.assign(document.documentElement.dataset, { dropped: 'yes' }),
      { once: true },
    )
  })
  const dropped = page.locator('html[data-dropped=yes]')
  await expect
    .poll(async () => {
      await send('dragEnter')
      await expect
        .poll(async () => {
          await send('dragOver')
          return page.locator('.drop.over').count()
        })
        .toBe(1)
      await send('drop')
      return dropped.waitFor({ timeout: 2000 }).then(
        () => 'taken',
        () => 'refused',
      )
    })
    .toBe('taken')
  await devtools.detach()
}

async function unpack(zip: string, folder: string): Promise<void> {
  for (const [name, entry] of await readArchive(bytesSource(await readFile(zip)))) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), await entry.read())
  }
}
