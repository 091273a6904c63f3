import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { preprocessImages } from '../../src/data/transforms.ts'
import { decodeImage } from '../../src/host/node/decode.ts'
import { importOnnx } from '../../src/nn/onnx.ts'
import { readSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts'
import { relativeError } from '../support/compare.ts'
import { testEngine } from '../support/engine.ts'
import { onnxRuntime, runOnnx } from '../support/onnxruntime.ts'
import { pytorch, runPyTorch } from '../support/pytorch.ts'
import { type Outcome, Workplace } from './run.ts'
import { graftHere } from './runHere.ts'

vi.setConfig({ testTimeout: 300_000 })

let place: Workplace
let run: string
beforeAll(async () => {
  place = await Workplace.make()
  run = place.path('run')
  const trained = await graftHere([
    'train',
    place.photos,
    '--epochs',
    '1',
    '--scenario',
    'small-different',
    '--out',
    run,
  ])
  expect(trained.code).toBe(0)
}, 300_000)
afterAll(() => place.remove())

const classes = ['circle', 'square', 'stripes']

async function exported(name: string, ...options: string[]): Promise<Buffer> {
  const file = place.path(name)
  const outcome = await graftHere(['export', run, '--out', file, '--json', ...options])
  expect([outcome.code, outcome.complaints]).toEqual([0, []])
  const bytes = await readFile(file)
  expect(outcome.events().at(-1)).toMatchObject({
    type: 'result',
    run,
    file,
    bytes: bytes.length,
    classes,
  })
  return bytes
}

describe('a run is handed on', () => {
  test('as ONNX, which gives what graft predict says, in ONNX Runtime too', async () => {
    const bytes = await exported('net.onnx')
    const engine = await testEngine()
    const model = await importOnnx(engine, bytes)
    expect([model.classNames, model.preprocess.size, model.architecture.variant]).toEqual([
      classes,
      64,
      'alexnet-64',
    ])
    const image = join(place.photos, 'val', 'circle', '0.png')
    const predicted = await graftHere(['predict', run, image, '--json', '--top', '3'])
    const { top } = predicted.events()[0] as { top: { class: string; probability: number }[] }
    const x = preprocessImages(engine, [await decodeImage(image)], model.preprocess)
    const y = engine.noGrad(() => model.forward(x))
    const logits = await y.data()
    const exps = Array.from(logits, Math.exp)
    const total = exps.reduce((a, b) => a + b, 0)
    for (const { class: name, probability } of top)
      expect((exps[classes.indexOf(name)] ?? 0) / total).toBeCloseTo(probability, 5)
    if (onnxRuntime)
      expect(
        relativeError((await runOnnx(bytes, await x.data(), x.shape)).data, logits),
      ).toBeLessThan(1e-4)
    for (const tensor of [x, y]) tensor.dispose()
    model.dispose()
  })

  test('as safetensors, whose bytes are the run’s, and stay so when they are read and written again', async () => {
    const bytes = await exported('net.safetensors')
    expect(bytes.equals(await readFile(join(run, 'weights.safetensors')))).toBe(true)
    const { tensors, metadata } = readSafetensors(bytes)
    expect(Buffer.compare(writeSafetensors(tensors, metadata), bytes)).toBe(0)
  })

  const withPyTorch = pytorch ? test : test.skip // Debian: python3-torch.
  withPyTorch('as a PyTorch checkpoint, which torch.load reads, with class names', async () => {
    await exported('net.bin', '--format', 'pytorch')
    const script = `
import json, sys, torch
state = torch.load(sys.argv[1])
print(json.dumps({'names': {k: list(v.shape) for k, v in state.items()}, 'sum': sum(float(v.double().sum()) for v in state.values()), 'classes': state.metadata['classes']}))`
    const found = JSON.parse(runPyTorch(script, place.path('net.bin'))) as {
      names: Record<string, number[]>
      sum: number
      classes: string
    }
    const { tensors } = readSafetensors(await readFile(join(run, 'weights.safetensors')))
    expect(found.names).toEqual(
      Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape])),
    )
    const sum = Object.values(tensors).reduce(
      (total, { data }) => total + data.reduce((a, b) => a + b, 0),
      0,
    )
    expect(found.sum).toBeCloseTo(sum, 3)
    expect(JSON.parse(found.classes)).toEqual(classes)
  })
})

test('the name is derived from the run, and a file is replaced only if that is asked for', async () => {
  const here = { cwd: await mkdtemp(place.path('here-')) }
  const first = await graftHere(['export', run], here)
  expect([first.code, first.complaints]).toEqual([0, []])
  expect((await graftHere(['export', run, '--format', 'safetensors'], here)).code).toBe(0)
  expect((await readdir(here.cwd)).sort()).toEqual(['run.onnx', 'run.safetensors'])
  const again = await graftHere(['export', run, '--format', 'safetensors'], here)
  expect([again.code, again.complaints]).toEqual([
    2,
    [expect.stringMatching(/run\.safetensors exists already: --force replaces it/)],
  ])
  expect((await graftHere(['export', run, '--format', 'safetensors', '--force'], here)).code).toBe(
    0,
  )
})

test('what cannot be exported gets one line, and leaves no file', async () => {
  const before = await readdir(place.folder)
  const outcomes: Outcome[] = []
  for (const args of [
    ['export', run, '--out', place.path('net.txt')],
    ['export', place.photos, '--out', place.path('net.onnx2'), '--format', 'onnx'],
    ['export', run, '--out', place.path('net.onnx')],
    ['export', run, '--out', place.path('nowhere', 'net.safetensors')],
  ])
    outcomes.push(await graftHere(args))
  expect(outcomes.map(({ code, complaints }) => [code, complaints])).toEqual([
    [
      2,
      [
        expect.stringMatching(
          /^graft: net\.txt does not say which format is wanted: --format is one of onnx, safetensors, pytorch/,
        ),
      ],
    ],
    [2, [expect.stringMatching(/is no run folder/)]],
    [2, [expect.stringMatching(/net\.onnx exists already: --force replaces it, --out names/)]],
    [1, [expect.stringMatching(/there is no folder .*nowhere/)]],
  ])
  expect(await readdir(place.folder)).toEqual(before)
})
