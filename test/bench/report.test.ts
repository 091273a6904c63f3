import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseHTML } from 'linkedom'
import { expect, test } from 'vitest'
import { chart } from '../../bench/chart.ts'
import { markdown } from '../../bench/markdown.ts'
import { line, titles } from '../../bench/report.ts'
import type { Results, Row } from '../../bench/results.ts'
import { summarize } from '../../bench/summary.ts'
import { resultsName, rowKey, updated } from '../../bench/write.ts'

const row = (name: string, pass: string, ratio: number | null): Row => ({
  name,
  pass,
  shape: '8x8',
  family: 'conv',
  graft: { ms: 12.5, spread: [10, 15], gflops: 30, share: 0.5 },
  ...(ratio === null
    ? {}
    : { tfjs_webgpu: { ms: 12.5 * ratio, spread: [12.5 * ratio, 12.5 * ratio] as const } }),
  ratio,
  agree: true,
})
const rows: readonly Row[] = [
  row('conv1', 'forward', 4),
  row('conv1', 'weight gradient', 20),
  { ...row('conv2', 'forward', 8), tfjs_webgpu: { ms: 100, error: 'fails validation: too large' } },
  row('bvlc.conv2', 'forward', null),
]
const results: Results = {
  adapter: 'Some GPU (X Y)',
  kind: 'hardware',
  machine: {
    platform: 'linux x64',
    node: 'v20',
    cpu: 'a processor',
    cores: 2,
    gpu: { vendor: 'v', architecture: 'a', device: 'd', description: 'Some GPU (X Y)' },
    subgroups: [8, 8],
    tileLanes: 8,
    features: [],
    limits: {},
  },
  tilings: {},
  date: '2026-01-01',
  quick: false,
  peak: { gflops: 60, gbps: 12 },
  rows,
  summary: summarize(rows),
}

test('a line has its cells below their titles, and says who is wrong', () => {
  const [text = '', complaint] = line(rows[2] ?? row('', '', null)).split('\n')
  expect(text.slice(0, 30).trim()).toBe('conv2 forward')
  expect(text.indexOf('100!') + 4).toBe(titles().indexOf('tfjs') + 4)
  expect(complaint).toBe('  tfjs_webgpu: fails validation: too large')
})

test('the Markdown table has a line for each row, as many cells as titles, and the reasons below', () => {
  const text = markdown(results, 'some-gpu')
  const table = text
    .split('\n')
    .filter((one) => one.startsWith('|'))
    .slice(-rows.length - 2)
  expect(new Set(table.map((one) => one.split('|').length)).size).toBe(1)
  expect(text).toContain('- conv2 forward, tfjs WebGPU: fails validation: too large')
  expect(text).toContain('some-gpu-dark.svg')
})

test.each(['light', 'dark'] as const)(
  'the %s chart is an SVG image with a dot for each ratio',
  (theme) => {
    const svg = chart(results, theme)
    const { document } = parseHTML(svg)
    expect(document.documentElement.getAttribute('xmlns')).toBe('http://www.w3.org/2000/svg')
    const kinds = 4
    expect(document.querySelectorAll('circle')).toHaveLength(3 + kinds)
    expect(svg).not.toMatch(/undefined|NaN/)
  },
)

test('results are named after the adapter', () => {
  expect(resultsName(results)).toBe('some-gpu-x-y')
  expect(resultsName({ adapter: 'llvmpipe: Mesa', kind: 'lavapipe' })).toBe('lavapipe')
})

test('an update puts rows in the place of older ones, in the order of the suite, and drops what is no more', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'graft-bench-test-'))
  try {
    const file = join(folder, 'lavapipe.json')
    await writeFile(
      file,
      JSON.stringify({
        ...results,
        quick: true,
        rows: rows.map((one) => ({ ...one, quick: true })),
      }),
    )
    const fresh = [row('pool1', 'forward', 3), row('conv1', 'forward', 5)]
    const order = [
      row('conv1', 'forward', 1),
      row('conv1', 'weight gradient', 1),
      row('pool1', 'forward', 1),
    ].map(rowKey)
    const merged = await updated(
      file,
      { ...results, rows: fresh, summary: summarize(fresh) },
      order,
    )
    expect(merged.rows.map(({ name, pass, ratio }) => [name, pass, ratio])).toEqual([
      ['conv1', 'forward', 5],
      ['conv1', 'weight gradient', 20],
      ['pool1', 'forward', 3],
    ])
    expect(merged.summary.minRatio).toBe(3)
    expect(merged.quick).toBe(true)
    const whole = [...fresh, row('conv1', 'weight gradient', 6)]
    expect((await updated(file, { ...results, rows: whole }, order)).quick).toBe(false)
    expect(await updated(join(folder, 'none.json'), results, [])).toBe(results)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
