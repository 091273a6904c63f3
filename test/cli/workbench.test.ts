import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { narrowWeights } from '../support/narrowWeights.ts'
import { Workplace } from './run.ts'
import { graftHere } from './runHere.ts'

// A CPU adapter on a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 })

let place: Workplace
beforeAll(async () => {
  place = await Workplace.make({ train: 6, val: 2 })
})
afterAll(() => place.remove())

describe('auto, explain, report', () => {
  test('a run says why its scenario was picked, then and later, and goes on by the same choice', async () => {
    const run = place.path('auto')
    const train = [
      'train',
      place.photos,
      '--scenario',
      'auto',
      '--batch-size',
      '4',
      '--out',
      run,
      '--json',
    ]
    const trained = await graftHere([...train, '--epochs', '1'])
    expect([trained.code, trained.complaints]).toEqual([0, []])
    const choice = trained.events().find(({ type }) => type === 'choice')
    const plan = trained.events().find(({ type }) => type === 'plan')
    expect(choice).toMatchObject({ evidence: { images: 18, classes: 3, pretrained: true } })
    expect(choice?.scenario).toBe(plan?.scenario)

    const explained = await graftHere(['explain', run, '--json'])
    const { type: _, ...kept } = choice ?? {}
    expect(explained.events().at(-1)).toMatchObject({
      type: 'result',
      run,
      scenario: plan?.scenario,
      chosen: 'auto',
      choice: kept,
    })
    const told = await graftHere(['explain', run])
    expect(told.stdout).toMatch(/18 of 18 images/)
    expect(told.stdout).toMatch(/classifier\.5 +512 +\d+\.\d % \(\d+\.\d to \d+\.\d\)/)
    expect(told.stdout).toContain(`auto         ${plan?.scenario}: 18 images of 3 classes are few`)

    const resumed = await graftHere([...train, '--epochs', '2', '--resume'])
    expect(resumed.code).toBe(0)
    expect(resumed.events().find(({ type }) => type === 'choice')).toEqual(choice)

    const reported = await graftHere(['report', run, '--top-losses', '2', '--json'])
    expect([reported.code, reported.complaints]).toEqual([0, []])
    const figures = reported.events().at(-1)
    expect(figures).toMatchObject({
      type: 'result',
      report: join(run, 'report.html'),
      choice: kept,
      accuracy: { of: 6 },
    })
    expect(figures?.topLosses).toHaveLength(2)
    // Null on an adapter without timestamps, which none of the CPU adapters is.
    expect(figures?.step).toMatchObject({
      pictures: 6,
      layers: expect.arrayContaining([
        expect.objectContaining({ layer: 'classifier.6', once: false }),
      ]),
    })
    expect(figures?.timings).toMatchObject({
      choosing: (kept.evidence as { seconds: number }).seconds,
    })
    const html = await readFile(join(run, 'report.html'), 'utf8')
    expect(html).toMatch(/^<!doctype html>/)
    expect(html).toContain('A training step of 6 images')
    const [losses = ''] = /<section aria-labelledby="losses">.*?<\/section>/s.exec(html) ?? []
    expect(losses.match(/src="data:image\/jpeg/g)).toHaveLength(4)
    const elsewhere = await graftHere(['report', run, place.path('nowhere')])
    expect([elsewhere.code, elsewhere.complaints]).toEqual([
      1,
      [expect.stringMatching(/^graft: no such folder/)],
    ])
  })

  test('a run whose scenario was named says so', async () => {
    const run = place.path('by-hand')
    await graftHere([
      'train',
      place.photos,
      '--scenario',
      'small-similar',
      '--epochs',
      '1',
      '--replace',
      'all',
      '--out',
      run,
    ])
    const { stdout, code } = await graftHere(['explain', run])
    expect(code).toBe(0)
    expect(stdout).toMatch(/chosen +by hand/)
    expect(stdout).toMatch(/scenario +small-similar, from pretrained weights\n +Few images/)
  })
})

describe('compare', () => {
  test('trains all four and ends on what each came to', async () => {
    const out = place.path('compare.html')
    const compared = await graftHere([
      'compare',
      place.photos,
      '--epochs',
      '1',
      '--batch-size',
      '6',
      '--weights',
      await narrowWeights(place.path('narrow.safetensors')),
      '--out',
      out,
      '--json',
    ])
    expect([compared.code, compared.complaints]).toEqual([0, []])
    const result = compared.events().at(-1) as {
      scenarios: Record<string, object>
      auto: { scenario: string; reason: string }
    }
    expect(Object.keys(result.scenarios)).toEqual([
      'small-similar',
      'small-different',
      'large-similar',
      'large-different',
    ])
    for (const scenario of Object.values(result.scenarios))
      expect(scenario).toEqual({
        valAccuracy: expect.any(Number),
        interval: { low: expect.any(Number), high: expect.any(Number) },
        behind: {
          value: expect.any(Number),
          low: expect.any(Number),
          high: expect.any(Number),
        },
        seconds: expect.any(Number),
        epochs: 1,
      })
    expect(result).toMatchObject({
      best: expect.arrayContaining([expect.any(String)]),
      chance: { mostCommon: 1 / 3, guessing: 1 / 3 },
    })
    expect(Object.keys(result.scenarios)).toContain(result.auto.scenario)
    expect(result.auto.reason).toMatch(/18 images of 3 classes are few/)
    expect(await readFile(out, 'utf8')).toContain('Four ways to train')
  })

  test('ends on the training to type next, of the network and by the steps that were compared', async () => {
    const typed = ['--weights', 'none', '--batch-size', '6', '--lr', '0.01']
    const { code, stdout } = await graftHere([
      'compare',
      place.photos,
      '--epochs',
      '1',
      '--out',
      place.path('compare.html'),
      ...typed,
    ])
    expect(code).toBe(0)
    expect(stdout.replace(/\s+/g, ' ')).toMatch(
      /next npx graft-webgpu train \S+ --scenario \S+ --(replace|cut) \S+ --weights none --batch-size 6 --lr 0\.01 ?$/,
    )
  })

  test('takes one budget', async () => {
    const { code, complaints } = await graftHere([
      'compare',
      place.photos,
      '--epochs',
      '1',
      '--seconds',
      '1',
    ])
    expect([code, complaints]).toEqual([2, [expect.stringMatching(/exclude each other/)]])
  })
})
