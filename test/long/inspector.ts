/**
 * Goes through every interactive step of the inspector's page in Chromium, for recordings of all
 * scenarios and variants, of a forward pass and of a training step, from a file:
 *     npx tsx test/long/inspector.ts [OUT] [VARIANT]
 * OUT: a folder for screenshots at four widths, light and dark, of what each view looks like in one
 * recording of each variant. Exits with 1 for a console error, a request to elsewhere, a serious
 * barrier, a step that shows nothing, or a view that is wider than the window.
 */

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createEngine } from '../../src/index.ts'
import { testImage } from '../../src/inspect/image.ts'
import { inspect, inspectorPage } from '../../src/inspector.ts'
import { alexnet, variants } from '../../src/nn/alexnet.ts'
import { applyScenario, scenarios } from '../../src/transfer/scenario.ts'
import { barriersOn, show, viewsOf, walk } from '../inspect/walk.ts'
import { complaintsOf, openChromium } from '../support/chromium.ts'

const [out, only] = process.argv.slice(2)
const engine = await createEngine()
const browser = await openChromium()
const folder = await mkdtemp(join(tmpdir(), 'graft-inspector-'))
if (out) await mkdir(out, { recursive: true })
let failures = 0

/** A recorded step; the two large variants are narrow, so that their pages keep every value. */
async function record(variant: (typeof variants)[number], scenario: string, train: boolean) {
  const model = await alexnet(engine, {
    variant,
    ...(variant === 'alexnet-64'
      ? { weights: 'alexnet-64-tinyimagenet100' }
      : { channels: [16, 24, 32, 32, 24], hidden: 48, classes: 20 }),
    seed: 5,
  })
  const known = scenarios.find((one) => one === scenario)
  const plan = known ? applyScenario(model, { scenario: known, classes: 6 }) : null
  const { inspection } = await inspect(model, {
    plan,
    train,
    title: `${variant}, ${scenario}`,
    picture: testImage(),
    ...(train ? { label: 2 } : {}),
  })
  model.dispose()
  return inspection
}

for (const variant of variants.filter((one) => only === undefined || one === only))
  for (const scenario of [...scenarios, 'no scenario'])
    for (const train of [false, true]) {
      const name = `${variant} ${scenario} ${train ? 'train' : 'forward'}`
      const inspection = await record(variant, scenario, train)
      const path = join(folder, 'page.html')
      await writeFile(path, await inspectorPage(inspection))
      const looked = scenario === 'small-different' && train
      for (const [width, dark] of [
        [1440, false],
        ...(looked
          ? ([
              [390, true],
              [390, false],
              [768, true],
              [1920, false],
            ] as const)
          : []),
      ] as const) {
        const page = await browser.newPage({
          viewport: { width, height: 900 },
          colorScheme: dark ? 'dark' : 'light',
        })
        const complaints = complaintsOf(page)
        page.on('request', (request) => {
          if (request.url().startsWith('http')) complaints.push(`a request to ${request.url()}`)
        })
        try {
          await page.goto(pathToFileURL(path).href)
          const counted = await walk(page, inspection)
          if (looked)
            for (const view of [...(await viewsOf(page, inspection)), 'image/features.3']) {
              await show(page, view)
              assert.deepEqual(await barriersOn(page), [], `barriers in ${view}`)
              const wide = await page.evaluate(
                () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
              )
              assert(wide <= 0, `${view} is ${wide} pixels too wide`)
              const file = `${variant}-${view.replaceAll('/', '-')}-${width}${dark ? '-dark' : ''}.png`
              if (out) await page.screenshot({ path: join(out, file), fullPage: true })
            }
          assert.deepEqual(complaints, [])
          console.log(`ok    ${name}, ${width} pixels: ${JSON.stringify(counted)}`)
        } catch (error) {
          failures++
          console.log(
            `WRONG ${name}, ${width} pixels: ${error instanceof Error ? error.message : error}`,
          )
        }
        await page.close()
      }
    }
await browser.close()
engine.dispose()
await rm(folder, { recursive: true })
process.exit(failures ? 1 : 0)
