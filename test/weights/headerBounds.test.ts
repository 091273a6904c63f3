import { describe, expect, test } from 'vitest'
import { WeightsError } from '../../src/base/errors.ts'
import { readSafetensors, readSafetensorsFrom } from '../../src/weights/safetensors.ts'
import { bytesSource } from '../../src/weights/source.ts'
import { assemble } from './headers.ts'

/** A header of many tensors without a number. */
function empty(count: number): string {
  const entry = ':{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
  return `{${Array.from({ length: count }, (_, i) => `"t${i}"${entry}`).join(',')}}`
}

const many = (count: number, one: string) => Array(count).fill(one).join(',')

describe('a header', () => {
  test('may name ten thousand tensors', () => {
    expect(Object.keys(readSafetensors(assemble(empty(10_000))).tensors)).toHaveLength(10_000)
  })

  test.each<[string, () => string, RegExp]>([
    ['one tensor more', () => empty(10_001), /names 10001 tensors and 10000 are the most/],
    ['a million tensors', () => empty(1_000_000), /JSON with more than 160000 values/],
    [
      'a shape of a million extents',
      () => `{"x":{"dtype":"F32","shape":[${many(1e6, '1')}],"data_offsets":[0,4]}}`,
      /more than 160000 values/,
    ],
    [
      'a million texts of metadata',
      () => `{"__metadata__":{${many(1e6, '"a":""')}}}`,
      /more than 160000 values/,
    ],
    ['a million empty lists', () => `{"x":[${many(1e6, '[]')}]}`, /more than 160000 values/],
    ['lists in lists', () => `{"x":${'['.repeat(1e6)}`, /nested more than 64 deep/],
    ['maps in maps', () => '{"x":'.repeat(1e6), /nested more than 64 deep/],
  ])('with %s is refused before it is parsed', async (_what, header, says) => {
    const file = assemble(header(), new Uint8Array(4))
    const before = process.memoryUsage.rss()
    const read = readSafetensorsFrom(bytesSource(file))
    await expect(read).rejects.toThrow(says)
    await expect(read).rejects.toBeInstanceOf(WeightsError)
    expect(() => readSafetensors(file)).toThrow(says)
    expect(process.memoryUsage.rss() - before).toBeLessThan(300 * 2 ** 20)
  })

  test('may have a long text: only what is outside of texts counts', () => {
    const text = '[{,'.repeat(1e6)
    const { metadata } = readSafetensors(assemble(`{"__metadata__":{"a":"${text}"}}`))
    expect(metadata.a).toBe(text)
  })
})
