import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fsPath, nameOf, readEntries } from '../../../src/base/node/fileNames.ts'

describe('names of files', () => {
  it('give back their bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect([...Buffer.from(fsPath(nameOf(bytes)))]).toEqual([...bytes])
      }),
    )
  })

  it('are the text itself where it is UTF-8', () => {
    expect(nameOf(Buffer.from('Käfer 🐞'))).toBe('Käfer 🐞')
    expect(fsPath('Käfer 🐞')).toBe('Käfer 🐞')
    expect(nameOf(Buffer.from('gr\xfc\xdfe ü', 'latin1'))).toBe('gr\udcfc\udcdfe \udcfc')
    // The bytes of a lone surrogate are no UTF-8 either.
    expect(nameOf(Buffer.from([0xed, 0xb2, 0x80]))).toBe('\udced\udcb2\udc80')
  })
})

// Other systems refuse such names, or change them.
describe.runIf(process.platform === 'linux')('a folder', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'graft-names-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('lists files and folders whose names are not UTF-8, and they are read', async () => {
    const inside = join(folder, 'K\udce4fer')
    await mkdir(fsPath(inside))
    await writeFile(fsPath(join(inside, 'gr\udcfc\udcdfe.png')), 'here')
    const [top] = await readEntries(folder)
    expect([top?.name, top?.isDirectory()]).toEqual(['K\udce4fer', true])
    const [file] = await readEntries(inside)
    expect(file?.name).toBe('gr\udcfc\udcdfe.png')
    expect(await readFile(fsPath(join(inside, file?.name ?? '')), 'utf8')).toBe('here')
  })
})
