import { describe, expect, test } from 'vitest'
import { type CheckRow, checkKernels } from '../../src/check/check.ts'
import { subjects } from '../../src/check/subjects.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import { testEngine } from '../support/engine.ts'
import { mutants, tryMutant } from './mutants.ts'

const [fast, plain] = [await testEngine(), await testEngine('plain')]

describe('graft check', () => {
  test('finds nothing wrong with the kernels as they are, whatever the seed', async () => {
    for (const seed of [1, 2]) {
      const { ok, rows, suspects } = await checkKernels({ fast, plain }, subjects, {
        drawn: 4,
        seed,
      })
      expect(rows.filter(({ verdict }) => verdict !== 'ok')).toEqual([])
      expect(ok).toBe(true)
      expect(suspects).toEqual([])
    }
  })

  test('runs every kernel that computes', async () => {
    const { rows } = await checkKernels({ fast, plain }, subjects, { drawn: 0 })
    const ran = new Set(rows.flatMap(({ files }) => files))
    const shaders = await nodeHost.readShaders()
    const entryPoints = [...shaders]
      .filter(([, text]) => text.includes('fn main('))
      .map(([file]) => file)
    // Probes measure the device, and the subgroup check is what the engine itself runs at its
    // start. Of the two kernels for products an adapter has one: register tiles on a CPU, blocks in
    // shared memory on a GPU. SwiftShader runs depthwise convolutions in tiles.
    const elsewhere = fast.info.kind === 'swiftshader' ? 'depthwise' : 'probe'
    const others = entryPoints.filter(
      (file) =>
        !/^(probe|lib)\/|^contract\/(tile|block)/.test(file) && !file.startsWith(`${elsewhere}/`),
    )
    expect(others.length).toBeGreaterThan(20)
    expect(others.filter((file) => !ran.has(file))).toEqual([])
  })

  test('tells of each row as it is done, with the worst error and where', async () => {
    const told: CheckRow[] = []
    const { rows } = await checkKernels(
      { fast, plain },
      subjects.filter(({ name }) => name === 'softmax'),
      { onRow: (row) => told.push(row) },
    )
    expect(told).toEqual(rows)
    expect(rows.map(({ what, against }) => [what, against])).toEqual([
      ['y', 'reference'],
      ['dx', 'reference'],
      ['dx', 'differences'],
    ])
    for (const { worst, cases } of rows) {
      expect(cases).toBeGreaterThan(0)
      expect(worst?.relative).toBeLessThan(2e-6)
      expect(worst?.case).toMatch(/^x \[\d+(, \d+)*\]$/)
      expect(worst?.at).toHaveLength(worst?.case.split(', ').length ?? 0)
    }
  })
})

describe('a mutated kernel', () => {
  test('there are mutants for every subject, and their places are still there', async () => {
    const shaders = await nodeHost.readShaders()
    expect(mutants.length).toBeGreaterThan(20)
    expect(new Set(mutants.map(({ subject }) => subject))).toEqual(
      new Set(subjects.map(({ name }) => name)),
    )
    for (const { file, from } of mutants) expect(shaders.get(file), file).toContain(from)
  })

  const few = [
    'relu/forward.wgsl flipped sign',
    'max_pool2d/forward.wgsl the winner',
    'linear/product.wgsl missing bias',
    'optim/adam.wgsl',
    'softmax/forward.wgsl the smallest',
    'cross_entropy/forward.wgsl the smallest',
  ]
  test.each(
    mutants.filter(({ file, kind }) => few.some((name) => `${file} ${kind}`.startsWith(name))),
  )('$file, $kind: is caught, and named', async (mutant) => {
    const { caught, named } = await tryMutant(mutant)
    expect(caught).toBe(true)
    expect(named).toBe(true)
  })

  test('one that does not compile is named with its line', async () => {
    const { report } = await tryMutant({
      kind: 'broken',
      file: 'add/forward.wgsl',
      from: 'a[i] + b[i]',
      to: 'a[i] + c[i]',
      subject: 'add',
    })
    expect(report.ok).toBe(false)
    expect(report.rows[0]?.verdict).toBe('fails')
    expect(report.rows[0]?.error).toMatch(
      /kernel add\/forward: does not compile: add\/forward.wgsl:\d+: unresolved value 'c'/,
    )
  })
})
