import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { GraftError } from '../../../src/base/errors.ts'
import { evaluateExpression, expandShader } from '../../../src/gpu/kernels/expand.ts'
import { nodeHost } from '../../../src/nodeHost.ts'

const expand = (
  text: string,
  constants: Record<string, number> = {},
  others: Record<string, string> = {},
) => expandShader(new Map(Object.entries({ 'main.wgsl': text, ...others })), 'main.wgsl', constants)

describe('the notation', () => {
  test('repeats, also one in another, with the outer variable in the inner bound', () => {
    expect(
      expand('#repeat i in 0..2\n#repeat j in i..N\na#{i}_#{j}\n#end repeat j\n#end repeat i\nz', {
        N: 3,
      }).code.split('\n'),
    ).toEqual(['a0_0', 'a0_1', 'a0_2', 'a1_1', 'a1_2', 'z'])
    expect(expand('#repeat i in 2..2\nnever\n#end repeat i').code).toBe('')
  })

  test('chooses', () => {
    const text = '#if A == 1 && !B\none\n#else\n#if B\ntwo\n#end if\n#end if'
    expect([
      expand(text, { A: 1, B: 0 }).code,
      expand(text, { A: 1, B: 1 }).code,
      expand(text, { A: 0, B: 0 }).code,
    ]).toEqual(['one', 'two', ''])
  })

  test('names integers, for the files that include the line too', () => {
    const others = { 'lib/b.wgsl': '#let B = A * 2\n#if B > 5\n#let C = 1\n#end if' }
    expect(expand('#let A = 3\n#include "lib/b.wgsl"\n#{A + B + C}', {}, others).code).toBe('10')
    const inside = '#repeat i in 0..2\n#let double = 2 * i\na#{double}\n#end repeat i'
    expect(expand(inside).code.split('\n')).toEqual(['a0', 'a2'])
  })

  test('takes the indentation of its blocks away', () => {
    const text =
      'a {\n  #repeat i in 0..1\n    #if 1\n      b {\n        c\n    }\n    #end if\n  #end repeat i'
    expect(expand(text).code.split('\n')).toEqual(['a {', '  b {', '    c', '}'])
  })

  test('includes, and every line knows where it was written', () => {
    const { code, origins } = expand(
      'a\n#include "lib/b.wgsl"\n#repeat i in 0..2\nc#{i}\n#end repeat i',
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
    ['#if X\n#end if', /main\.wgsl:1: 'X' has no value in the expression 'X'/],
    ['a #{1 +}', /main\.wgsl:1: something is missing in the expression '1 \+'/],
    ['a #{(1}', /a '\)' is missing/],
    ['a #{1 2}', /'2' is left over/],
    ['a #{1 / 0}', /not an integer/],
    ['#include b', /write #include "file\.wgsl"/],
    ['#include "b.wgsl"', /no shader file b\.wgsl, included by main\.wgsl/],
    ['#repeat 3 times\n#end repeat 3', /write #repeat name in first\.\.last/],
    ['#for x', /main\.wgsl:1: #for is not a directive/],
    ['#end if', /#end is not a directive, or closes nothing/],
    ['#repeat i in 0..2\na\n#end', /main\.wgsl:3: write #end repeat i: .* opened on line 1/],
    ['#repeat i in 0..2\n#if 1\na\n#end repeat i\n#end if', /main\.wgsl:4: write #end if/],
    ['#let A 3', /write #let NAME = expression/],
    ['#let A = 3\n#let A = 4', /main\.wgsl:2: 'A' has a value already/],
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

test('the lines of every block are indented further than its directive', async () => {
  for (const [path, text] of await nodeHost.readShaders()) {
    const open: number[] = []
    for (const [i, line] of text.split('\n').entries()) {
      if (line.trim() === '') continue
      const [, spaces = '', word] = /^( *)(?:#(\w+))?/.exec(line) ?? []
      if (word === 'end') expect(spaces.length, `${path}:${i + 1}`).toBe(open.pop())
      else if (word === 'else') expect(spaces.length, `${path}:${i + 1}`).toBe(open.at(-1))
      else expect(spaces.length, `${path}:${i + 1}`).toBeGreaterThanOrEqual((open.at(-1) ?? -2) + 2)
      if (word === 'repeat' || word === 'if') open.push(spaces.length)
    }
  }
})

test('every shader opens by saying what it computes, how it is launched and what checks it', async () => {
  for (const [path, text] of await nodeHost.readShaders()) {
    expect(text.startsWith('// '), path).toBe(true)
    if (!text.includes('fn main')) continue // included by others
    expect(text, path).toMatch(/launch: /)
    const checks = text.match(/test\/\S+\.test\.ts/g) ?? []
    expect(checks.length, `${path} names its test`).toBeGreaterThan(0)
    for (const check of checks)
      expect(
        existsSync(new URL(`../../../${check}`, import.meta.url)),
        `${check}, which ${path} names`,
      ).toBe(true)
  }
})
