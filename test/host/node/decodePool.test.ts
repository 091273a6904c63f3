import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { DecodePool, DecoderDied } from '../../../src/host/node/decodePool.ts'
import { plainPng, useTempFolder } from '../../data/images.ts'

const inTemp = useTempFolder()

/** Kept, so that their open files are not collected while the tests run. */
const pools: DecodePool[] = []
function made(...options: ConstructorParameters<typeof DecodePool>): DecodePool {
  const pool = new DecodePool(...options)
  pools.push(pool)
  return pool
}

/** A decoder whose images are one byte each: it crashes at C, hangs at H, refuses R. */
function stubborn(): URL {
  const path = inTemp('stubborn.mjs')
  writeFileSync(
    path,
    `import { readSync, writeSync } from 'node:fs'
    process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
    process.on('message', ({ slot }) => {
      const byte = Buffer.alloc(1)
      readSync(4 + slot, byte, 0, 1, 0)
      const letter = byte.toString()
      if (letter === 'C') process.abort()
      if (letter === 'H') for (;;);
      if (letter === 'R') return process.send({ slot, reason: 'no image' })
      writeSync(4 + slot, Buffer.from(letter.repeat(3)), 0, 3, 0)
      setTimeout(() => process.send({ slot, width: 1, height: 1 }), 5)
    })
    process.send({ ready: true })`,
  )
  return pathToFileURL(path)
}

/** What becomes of each letter: itself where it was decoded, or what was said. */
async function outcomes(letters: string, pool: DecodePool): Promise<string[]> {
  const settled = await Promise.allSettled(
    Array.from(letters, (letter) => pool.decode(Buffer.from(letter))),
  )
  return settled.map((outcome) =>
    outcome.status === 'fulfilled'
      ? String.fromCharCode(outcome.value.data[0] ?? 0)
      : (outcome.reason as Error).message,
  )
}

describe('a process that decodes', () => {
  const crash = expect.stringMatching(/^its process ended: (SIGABRT|SIGIOT|exit code 134)$/)
  it.each<[string, unknown[]]>([
    ['abcdefghij', [...'abcdefghij']],
    ['aRbR', ['a', 'no image', 'b', 'no image']],
    ['C', [crash]],
    ['abCde', ['a', 'b', crash, 'd', 'e']],
    ['CaCbC', [crash, 'a', crash, 'b', crash]],
    ['RC', ['no image', crash]],
  ])('decodes %s, and only the images to blame fail', async (letters, wanted) => {
    expect(await outcomes(letters, made({ program: stubborn() }))).toEqual(wanted)
  })

  it('is ended and replaced when an image takes too long', async () => {
    const pool = made({ program: stubborn(), timeLimit: 300 })
    expect(await outcomes('aHb', pool)).toEqual(['a', 'it took more than 0.3 s', 'b'])
    await expect(pool.decode(Buffer.from('H'))).rejects.toBeInstanceOf(DecoderDied)
    expect(await outcomes('c', pool)).toEqual(['c'])
  })

  it('is replaced when somebody ends it, and no image fails', async () => {
    const pool = made()
    const images = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => plainPng(n, n, n, 900, 900)))
    const decoding = images.map((bytes) => pool.decode(bytes))
    await decoding[0]
    process.kill(pool.processId ?? 0, 'SIGKILL')
    const decoded = await Promise.all(decoding)
    expect(decoded.map(({ data }) => data[0])).toEqual([1, 2, 3, 4, 5, 6])
    process.kill(pool.processId ?? 0, 'SIGKILL')
    expect((await pool.decode(await plainPng(7, 7, 7))).data[0]).toBe(7)
  })

  it('is no other program: one that ends at once says so', async () => {
    writeFileSync(inTemp('gone.mjs'), '')
    const pool = made({ program: pathToFileURL(inTemp('gone.mjs')) })
    await expect(pool.decode(Buffer.from('a'))).rejects.toThrow(
      'cannot load sharp, which decodes the images (its process ended at once)',
    )
  })
})
