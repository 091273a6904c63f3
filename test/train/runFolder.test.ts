import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NonFiniteError, UsageError } from '../../src/base/errors.ts'
import { alexnet } from '../../src/nn/alexnet.ts'
import { exportOnnx } from '../../src/nn/onnx.ts'
import { predict } from '../../src/train/evaluate.ts'
import {
  loadRun,
  readRunConfig,
  readRunMetrics,
  readRunTimings,
  readRunWeights,
} from '../../src/train/runFolder.ts'
import { writeSafetensors } from '../../src/weights/safetensors.ts'
import { testEngine } from '../support/engine.ts'

let run: string
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'graft-run-'))
})
afterEach(() => rm(run, { recursive: true, force: true }))

const channels = [4, 4, 4, 4, 4]
const config = {
  graft: '0.1.0',
  architecture: { variant: 'alexnet-64', channels, hidden: 8, dropout: 0.3, classes: 5 },
  plan: {
    scenario: 'small-similar',
    replace: 'last',
    cut: null,
    removed: ['classifier.6'],
    added: [{ name: 'classifier.6', description: 'Linear(8, 2)' }],
    left: [],
    ignored: [],
    frozen: ['features.0.weight'],
    trained: ['classifier.6.weight', 'classifier.6.bias'],
    trainedValues: 18,
    frozenValues: 300,
    startsFrom: 'pretrained',
    classes: 2,
    seed: 0,
    reasons: ['Few images.'],
  },
  classes: ['ants', 'bees'],
  pictures: { train: 'a'.repeat(64), val: 'b'.repeat(64) },
  options: { epochs: 2, data: '/photos' },
  adapter: 'llvmpipe',
}

const deep = (n: number) => '['.repeat(n) + ']'.repeat(n)
const write = (file: string, text: string) => writeFile(join(run, file), text)
/** The config with one value changed, as text. */
function changed(path: string, value: unknown): string {
  const copy = structuredClone(config)
  const names = path.split('.')
  const last = names.pop() ?? ''
  const owner = names.reduce<object>((inner, name) => Reflect.get(inner, name), copy)
  if (value === undefined) Reflect.deleteProperty(owner, last)
  else Reflect.set(owner, last, value)
  return JSON.stringify(copy)
}

describe('config.json', () => {
  test('is read as it was written, with fields that only newer versions know, or without new ones', async () => {
    await write('config.json', JSON.stringify({ ...config, later: { a: 1 } }))
    expect(await readRunConfig(run)).toEqual({ ...config, later: { a: 1 } })
    await write('config.json', changed('plan.left', undefined))
    expect((await readRunConfig(run)).plan.left).toEqual([])
    await write('config.json', changed('plan.ignored', undefined))
    expect((await readRunConfig(run)).plan.ignored).toEqual([])
  })

  const wrong: [string, string, string][] = [
    ['architecture.variant', '__proto__', 'is "__proto__", and has to be one of torchvision,'],
    ['architecture.variant', 'constructor', 'is "constructor", and has to be one of'],
    ['plan.trained', {}, 'is an object, and has to be a list'],
    ['plan.trained', [1], 'plan.trained[0] is 1, and has to be a text'],
    ['plan.cut', 7, 'is 7, and has to be a text or null'],
    ['plan.seed', -1, 'is -1, and has to be an integer of 0 or more'],
    ['plan.added', [{ name: 'a' }], 'plan.added[0].description is missing'],
    ['plan', null, 'is null, and has to be an object'],
    ['plan.scenario', undefined, 'plan.scenario is missing'],
    ['architecture', [], 'is a list of 0, and has to be an object'],
    ['architecture.channels', [1e9, 1e9, 1e9, 1e9, 1e9], 'would have more than 268435456 values'],
    ['architecture.hidden', 2 ** 40, 'would have more than 268435456 values'],
    ['architecture.channels', [4], 'is a list of 1, and has to be five positive integers'],
    ['architecture.channels', { length: 5 }, 'is an object, and has to be five positive'],
    ['architecture.dropout', 1, 'is 1, and has to be a number from 0 to below 1'],
    ['architecture.hidden', 1e308, 'is 1e+308, and has to be a positive integer'],
    ['classes', ['a', 'a'], 'is a list of 2, and has to be a list of different names'],
    ['classes', [], 'is a list of 0, and has to be a list of different names'],
    ['classes', ['a', 'b', 'c'], 'it names 3 classes, and plan.classes is 2'],
    ['classes', 'ants', 'is "ants", and has to be a list of different names'],
    ['pictures.train', 'x', 'is "x", and has to be 64 hexadecimal digits'],
    ['options', [], 'is a list of 0, and has to be an object'],
    ['choice', {}, 'choice.scenario is missing'],
    ['adapter', '\u001b[2J'.repeat(99), ''],
  ].map(([path, value, says]) => [String(path), changed(String(path), value), String(says)])
  const texts: [string, string, string][] = [
    ['no JSON', '{', 'it is not valid JSON (Expected property name'],
    ['no object', '[]', 'it is a list of 0, and has to be an object'],
    ['null', 'null', 'it is null, and has to be an object'],
    ['nothing', '', 'it is not valid JSON'],
    ['too deep', `{"options":${deep(100_000)}}`, 'it is JSON nested more than 64 deep'],
    ['a key __proto__', '{"__proto__":{"architecture":{}}}', 'graft is missing'],
  ]
  test.each([...wrong, ...texts])(
    'with %s changed is refused in one line',
    async (_, text, says) => {
      await write('config.json', text)
      if (says === '') expect(await readRunConfig(run)).toHaveProperty('adapter')
      else {
        const failure = await readRunConfig(run).catch((error: unknown) => error)
        expect(failure).toBeInstanceOf(UsageError)
        const { message } = failure as UsageError
        expect(message).toContain(`${join(run, 'config.json')} is damaged: `)
        expect(message).toContain(says)
        expect(message).toMatch(/^[^\n]{1,400}; restore the file, or train again$/)
      }
    },
  )

  test('that is a pipe or a folder, or may not be read, is not called missing', async () => {
    const path = join(run, 'config.json')
    await expect(readRunConfig(run)).rejects.toThrow('is no run folder: it has no config.json')
    execFileSync('mkfifo', [path])
    await expect(readRunConfig(run)).rejects.toThrow(/config.json: .* a named pipe/)
    await rm(path)
    await mkdir(path)
    await expect(readRunConfig(run)).rejects.toThrow(/config.json: this is a folder/)
    await rm(path, { recursive: true })
    await write('config.json', '{}')
    await chmod(path, 0)
    // The superuser may read it all the same.
    await expect(readRunConfig(run)).rejects.toThrow(/no permission|is damaged/)
  })
})

describe('metrics.jsonl and timings.json', () => {
  const epoch = { trainLoss: 1, trainAccuracy: 0.5, valLoss: 1, valAccuracy: 0.5, seconds: 2 }
  const line = (n: number, other: object = {}) => JSON.stringify({ epoch: n, ...epoch, ...other })

  test('are read, whichever optional values they have', async () => {
    await write('metrics.jsonl', `${line(1)}\n${line(2, { lr: 0.1 })}\n`)
    expect((await readRunMetrics(run)).map(({ epoch, lr }) => [epoch, lr])).toEqual([
      [1, undefined],
      [2, 0.1],
    ])
    expect(await readRunTimings(run)).toBe(null)
  })

  test.each([
    ['a line twice', `${line(1)}\n${line(1)}`, 'line 2, is damaged: it is epoch 1;'],
    ['a line missing', line(2), 'line 1, is damaged: it is epoch 2;'],
    ['a text for a number', line(1, { valLoss: 'x' }), 'valLoss is "x", and has to be a number'],
    [
      'no number',
      line(1, { trainAccuracy: null }),
      'trainAccuracy is null, and has to be a number',
    ],
    ['more than all', line(1, { valAccuracy: 7 }), 'valAccuracy is 7, and has to be a number from'],
    ['half a line', line(1).slice(0, 30), 'it is not valid JSON'],
    ['a list', '[]', 'it is a list of 0, and has to be an object'],
  ])('with %s are refused in one line', async (_, text, says) => {
    await write('metrics.jsonl', text)
    const failure = await readRunMetrics(run).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(UsageError)
    expect(String(failure)).toContain(says)
  })

  test('times are five numbers', async () => {
    await write('timings.json', '{"choosing":0,"reading":"1"}')
    await expect(readRunTimings(run)).rejects.toThrow(
      /timings.json is damaged: reading is "1", and has to be a number of 0 or more; remove it/,
    )
  })
})

describe('weights that are not finite', () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    '%s in a run is an error wherever it is read, in predict and in the export',
    async (bad) => {
      const engine = await testEngine()
      const model = await alexnet(engine, {
        variant: 'alexnet-64',
        channels,
        hidden: 8,
        classes: 2,
      })
      const bias = model.parameters().find(({ name }) => name === 'classifier.6.bias')
      bias?.assign(engine, new Float32Array([0, bad]))
      const pixels = { data: new Uint8Array(64 * 64 * 3).fill(90), width: 64, height: 64 }
      await expect(predict(model, [pixels])).rejects.toThrow(
        /^prediction stopped: the parameter classifier.6.bias is the first tensor that is not finite/,
      )
      await expect(exportOnnx(model)).rejects.toThrow(NonFiniteError)
      await write('config.json', JSON.stringify(config))
      await writeFile(join(run, 'weights.safetensors'), writeSafetensors(await model.stateDict()))
      model.dispose()
      const says =
        `${join(run, 'weights.safetensors')}: the parameter classifier.6.bias is not finite, ` +
        `with ${bad} at index 1; restore the file, or train again with a lower learning rate`
      await expect(readRunWeights(run)).rejects.toThrow(
        new NonFiniteError('classifier.6.bias', says),
      )
      await expect(loadRun(engine, run)).rejects.toThrow(NonFiniteError)
    },
  )
})
