import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { GraftError } from '../../../src/base/errors.ts'
import { evaluateExpression, expandShader } from '../../../src/gpu/kernels/expand.ts'
import { nodePlatform } from '../../../src/host/node/platform.ts'

const expand = (
  text: string,
  constants: Record<string, number> = {},
  others: Record<string, string> = {},
) => expandShader(new Map(Object.entries({ 'main.wgsl': text, ...others })), 'main.wgsl', constants)

describe('the notation', () => {
  test('repeats, also one in another, with the outer variable in the inner bound', () => {
    expect(
      expand('#repeat i in 0..2\n#repeat j in i..N\na#{i}_#{j}\n#end\n#end\nz', {
        N: 3,
      }).code.split('\n'),
    ).toEqual(['a0_0', 'a0_1', 'a0_2', 'a1_1', 'a1_2', 'z'])
    expect(expand('#repeat i in 2..2\nnever\n#end').code).toBe('')
  })

  test('chooses', () => {
    const text = '#if A == 1 && !B\none\n#else\n#if B\ntwo\n#end\n#end'
    expect([
      expand(text, { A: 1, B: 0 }).code,
      expand(text, { A: 1, B: 1 }).code,
      expand(text, { A: 0, B: 0 }).code,
    ]).toEqual(['one', 'two', ''])
  })

  test('includes, and every line knows where it was written', () => {
    const { code, origins } = expand(
      'a\n#include "lib/b.wgsl"\n#repeat i in 0..2\nc#{i}\n#end',
      {},
      { 'lib/b.wgsl': 'b1\nb2' },
    )
    expect(code).toBe('a\nb1\nb2\nc0\nc1')
    expect(origins.map(({ file, line }) => `${file}:${line}`)).toEqual([
      'main.wgsl:1',
      'lib/b.wgsl:1',
      'lib/b.wgsl:2',
      'main.wgsl:4',
      'main.wgsl:4',
    ])
  })

  test.each<[string, number]>([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['7 / 2', 3],
    ['-7 % 4 + 8', 5],
    ['10 - 3 - 2', 5],
    ['R / 4 / L', 2],
    ['R > 8 || L == 0', 1],
    ['R >= 64 && L <= 8', 1],
    ['!(R != 64)', 1],
  ])('%s is %i', (expression, value) => {
    expect(evaluateExpression(expression, { R: 64, L: 8 })).toBe(value)
  })
})

describe('what is wrong is named with file and line', () => {
  test.each<[string, RegExp]>([
    ['a\n#repeat i in 0..3\nb', /main\.wgsl:2: no #end closes this block/],
    ['#if X\n#end', /main\.wgsl:1: 'X' has no value in the expression 'X'/],
    ['a #{1 +}', /main\.wgsl:1: something is missing in the expression '1 \+'/],
    ['a #{(1}', /no '\)'/],
    ['a #{1 2}', /'2' is left over/],
    ['a #{1 / 0}', /no integer/],
    ['#include b', /write #include "file\.wgsl"/],
    ['#include "b.wgsl"', /no shader file b\.wgsl, included by main\.wgsl/],
    ['#repeat 3 times\n#end', /write #repeat name in first\.\.last/],
    ['#for x', /main\.wgsl:1: #for is not a directive/],
    ['#end', /#end is not a directive, or closes nothing/],
  ])('%j', (text, message) => {
    expect(() => expand(text)).toThrow(GraftError)
    expect(() => expand(text)).toThrow(message)
  })

  test('a file that includes itself', () => {
    expect(() => expand('#include "b.wgsl"', {}, { 'b.wgsl': '#include "main.wgsl"' })).toThrow(
      /includes itself/,
    )
  })
})

test('every shader opens by saying what it computes, how it is launched and what checks it', async () => {
  for (const [path, text] of await nodePlatform.readShaders()) {
    expect(text.startsWith('// '), path).toBe(true)
    if (!text.includes('fn main')) continue // included by others
    expect(text, path).toMatch(/launch: /)
    const checks = text.match(/test\/\S+\.test\.ts/g) ?? []
    expect(checks.length, `${path} names its test`).toBeGreaterThan(0)
    for (const check of checks)
      expect(
        existsSync(new URL(`../../${check}`, import.meta.url)),
        `${check}, which ${path} names`,
      ).toBe(true)
  }
})
