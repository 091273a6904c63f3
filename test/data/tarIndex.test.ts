import { truncate, writeFile } from 'node:fs/promises'
import { beforeAll, expect, it } from 'vitest'
import { openData } from '../../src/data/openData.ts'
import { dataErrorOf, plainPng, useTempFolder } from './images.ts'

const inTemp = useTempFolder()
let png: Uint8Array
beforeAll(async () => {
  png = await plainPng(1, 2, 3)
})

const octal = (n: number) => Buffer.from(`${n.toString(8).padStart(11, '0')}\0`)
/** A size in the base-256 form that GNU tar uses past 8 GiB. */
function large(n: bigint): Buffer {
  const field = Buffer.alloc(12, n < 0n ? 0xff : 0)
  field.writeBigInt64BE(n, 4)
  if (n >= 0n) field[0] = 0x80
  return field
}

function header(name: string | Buffer, size: Buffer, type = '0', change?: (h: Buffer) => void) {
  const block = Buffer.alloc(512)
  Buffer.from(name).copy(block)
  block.write('0000644\0', 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  size.copy(block, 124)
  block.write('00000000000\0', 136)
  block.write(type, 156)
  block.write('ustar\x0000', 257, 'latin1')
  change?.(block)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function padded(content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(Math.ceil(content.length / 512) * 512)
  bytes.set(content)
  return bytes
}

const file = (name: string | Buffer, content: Uint8Array = png, type = '0') =>
  Buffer.concat([header(name, octal(content.length), type), padded(content)])
const end = () => Buffer.alloc(1024)
/** Enough for a dataset. */
const good = () =>
  Buffer.concat(['a/1.png', 'a/2.png', 'b/1.png', 'b/2.png'].map((name) => file(name)))

function pax(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.from(` ${key}=${value}\n`, 'latin1')
    let length = rest.length + 1
    while (String(length).length + rest.length !== length) length++
    return Buffer.concat([Buffer.from(String(length)), rest])
  })
  return file('pax', Buffer.concat(lines), type)
}

async function written(name: string, ...parts: readonly Uint8Array[]): Promise<string> {
  await writeFile(inTemp(name), Buffer.concat([...parts, end()]))
  return inTemp(name)
}

it.each<[string, () => Uint8Array[], RegExp]>([
  ['a size of 2^62', () => [header('a/1.png', large(2n ** 62n))], /damaged at byte 0/],
  [
    'a size past the end',
    () => [header('a/1.png', large(2n ** 40n))],
    /cut short within a\/1\.png/,
  ],
  ['a negative size', () => [good(), header('a/3.png', large(-512n))], /damaged at byte 4096/],
  ['a negative size that leads back', () => [good(), header('a/3.png', large(-1024n))], /damaged/],
  ['a size that is no number', () => [header('a/1.png', Buffer.from('abc\0'))], /damaged/],
  ['a pax size that is no number', () => [pax({ size: 'abc' }), good()], /damaged/],
  ['a negative pax size', () => [pax({ size: '-512' }), good()], /damaged/],
  ['a pax size of 2^62', () => [pax({ size: String(2n ** 62n) }), good()], /damaged/],
  ['a pax record that ends late', () => [file('pax', Buffer.from('99 a=b\n'), 'x')], /damaged/],
  ['a pax record of length 0', () => [file('pax', Buffer.from('0 a=b\n'), 'x')], /damaged/],
  ['one size for all', () => [pax({ size: '0' }, 'g'), good()], /one path or size is set for all/],
  ['one path for all', () => [pax({ path: 'a/1.png' }, 'g'), good()], /one path or size is set/],
  [
    'a name of a MiB',
    () => [file('././@LongLink', Buffer.alloc(2 ** 20, 'a/'), 'L'), good()],
    /1048576 bytes describe one member, and 65536 are the most/,
  ],
  [
    'a sparse image of GNU tar',
    () => [good(), file('a/3.png', png, 'S')],
    /a\/3\.png is stored as a/,
  ],
  [
    'a sparse image in pax',
    () => [
      good(),
      pax({ 'GNU.sparse.major': '1', 'GNU.sparse.name': 'a/3.png', path: 'GNUSparseFile.1/3.png' }),
      file('x'),
    ],
    /a\/3\.png is stored as a sparse file/,
  ],
  [
    'a class that is no UTF-8',
    () => [file('1.png'), file('1.cls', Buffer.from('K\xe4fer', 'latin1'))],
    /the class in 1\.cls is not UTF-8/,
  ],
])('refuses %s in one line', async (name, parts, says) => {
  const path = await written(`${name}.tar`, ...parts())
  expect((await dataErrorOf(openData(path))).message).toMatch(says)
})

it.each<[string, bigint, string, RegExp]>([
  ['a class', 1500n * 2n ** 20n, '0.cls', /0\.cls has 1572864000 bytes, and 4096 are the most/],
  ['a pax header', 9n * 2n ** 30n, 'x', /9663676416 bytes describe one member/],
])('%s of gigabytes is refused before it is read', async (name, bytes, member, says) => {
  const path = inTemp(`large ${name}.tar`)
  const start = member === 'x' ? [] : [file('0.png')]
  const last = header(member, large(bytes), member === 'x' ? 'x' : '0')
  await writeFile(path, Buffer.concat([...start, last]))
  await truncate(path, start.length * 1024 + 512 + Number(bytes))
  const before = process.memoryUsage().arrayBuffers
  expect((await dataErrorOf(openData(path))).message).toMatch(says)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24)
})

it('passes over a long name that ends in a slash, which is a folder', async () => {
  const path = await written(
    'slash.tar',
    file('././@LongLink', Buffer.from(`${'a/'.repeat(99)}\0`), 'L'),
    file('x'),
    good(),
  )
  expect((await openData(path)).classes).toEqual(['a', 'b'])
})

it('reads past sparse files that are no images, and past headers of links', async () => {
  const map = Buffer.alloc(512)
  const sparse = header('notes.db', octal(512), 'S', (block) => {
    block[482] = 1
  })
  const path = await written(
    'beside.tar',
    Buffer.concat([sparse, map, Buffer.alloc(512, 1)]),
    file('././@LongLink', Buffer.from('far away\0'), 'K'),
    header('link', octal(0), '2'),
    good(),
  )
  expect((await openData(path)).train.length).toBe(2)
})

it('names links, which lead to nothing in an archive', async () => {
  const path = await written('links.tar', good(), header('a/3.png', octal(0), '1'))
  expect((await openData(path)).remarks).toEqual([
    'links.tar: passed over 1 link, such as a/3.png: make the archive again with --dereference --hard-dereference',
  ])
})

it('says that a name stands in an archive twice: the last one counts, as after unpacking', async () => {
  const path = await written(
    'appended.tar',
    file('a/1.cls', Buffer.from('x')),
    file('a/1.png', Buffer.from('no image')),
    file('b/1.cls', Buffer.from('y')),
    file('b/1.png'),
    file('c/1.cls', Buffer.from('x')),
    file('c/1.png'),
    file('d/1.cls', Buffer.from('x')),
    file('d/1.png'),
    file('a/1.png'),
    file('d/1.cls', Buffer.from('y')),
  )
  const data = await openData(path, { split: 0.5 })
  expect(data.remarks).toEqual([
    'appended.tar: holds 2 files more than once, such as a/1.png; the last one is read, as when the archive is unpacked',
  ])
  const samples = [...data.train, ...data.val]
  expect(samples.map(({ name, label }) => [name, label]).sort()).toEqual([
    ['appended.tar/a/1.png', 0],
    ['appended.tar/b/1.png', 1],
    ['appended.tar/c/1.png', 0],
    ['appended.tar/d/1.png', 1],
  ])
})

it('keeps names that are not UTF-8, in every form of header', async () => {
  const latin = (name: string) => Buffer.from(name, 'latin1')
  const path = await written(
    'latin.tar',
    file(latin('K\xe4fer/1.png')),
    pax({ path: 'K\xe4fer/2.png' }),
    file('x'),
    file('././@LongLink', latin(`K\xe4fer/${'n'.repeat(100)}.png\0`), 'L'),
    file('x'),
    good(),
  )
  const data = await openData(path)
  expect(data.classes).toEqual(['K\udce4fer', 'a', 'b'])
  expect([data.train.length, data.val.length]).toEqual([4, 3])
})
