import { describe, expect, test } from 'vitest'
import { readPickle } from '../../../src/weights/pytorch/pickle.ts'
import { PickleTruncated } from '../../../src/weights/pytorch/pickleReader.ts'
import { PickleDict, PickleObject } from '../../../src/weights/pytorch/pickleValues.ts'
import { readTorchStream } from '../../../src/weights/pytorch/read.ts'
import { TorchRules } from '../../../src/weights/pytorch/torchRules.ts'
import { bytesSource } from '../../../src/weights/source.ts'
import { bytes, stream } from '../hostile/build.ts'

/**
 * Python's pickle.dumps, protocols 0 to 5, of the dictionary in `wanted`; 2 and 3, 4 and 5 differ
 * in the number alone.
 */
const dumped = [
  '286470300a56690a70310a492d350a73566a0a70320a493330300a73566b0a70330a4937303030300a73566269670a70340a4c313138303539313632303731373431313330333432344c0a7356660a70350a46312e350a7356730a70360a564772fcdf650a70370a7356740a70380a2849310a49320a49330a49340a7470390a7356750a7031300a2849370a747031310a73566c0a7031320a286c7031330a4930310a614e6167370a617356640a7031340a28647031350a7356650a7031360a2874732e',
  '7d71002858010000006971014afbffffff58010000006a71024d2c0158010000006b71034a70110100580300000062696771044c313138303539313632303731373431313330333432344c0a5801000000667105473ff8000000000000580100000073710658070000004772c3bcc39f6571075801000000747108284b014b024b034b04747109580100000075710a284b0774710b58010000006c710c5d710d284930310a4e680765580100000064710e7d710f580100000065711029752e',
  '80027d71002858010000006971014afbffffff58010000006a71024d2c0158010000006b71034a70110100580300000062696771048a090000000000000000405801000000667105473ff8000000000000580100000073710658070000004772c3bcc39f6571075801000000747108284b014b024b034b04747109580100000075710a4b0785710b58010000006c710c5d710d28884e680765580100000064710e7d710f580100000065711029752e',
  '80049578000000000000007d94288c0169944afbffffff8c016a944d2c018c016b944a701101008c03626967948a090000000000000000408c016694473ff80000000000008c0173948c074772c3bcc39f65948c017494284b014b024b034b0474948c0175944b0785948c016c945d9428884e6807658c0164947d948c01659429752e',
].map((hex) => Uint8Array.from(Buffer.from(hex, 'hex')))

const numbers = { i: -5, j: 300, k: 70_000, big: 2n ** 70n, f: 1.5 }
const wanted = {
  ...numbers,
  s: 'Grüße',
  t: [1, 2, 3, 4],
  u: [7],
  l: [true, null, 'Grüße'],
  d: {},
  e: [],
}

/** A dictionary of the pickle as an object, for comparison. */
function plain(value: unknown): unknown {
  return value instanceof PickleDict
    ? Object.fromEntries(Array.from(value.entries, ([key, item]) => [key, plain(item)]))
    : value
}

describe('readPickle', () => {
  test.each(dumped.map((bytes, i) => [['0', '1', '2 and 3', '4 and 5'][i], bytes] as const))(
    'reads protocol %s',
    (_, bytes) => {
      const { value, end } = readPickle(bytes, new TorchRules())
      expect(plain(value)).toEqual(wanted)
      expect(end).toBe(bytes.length)
    },
  )

  test('reads bytes, byte arrays and sets', () => {
    // pickle.dumps({'b': b'\x00\xff', 'a': bytearray(b'xy'), 'z': frozenset([3]), 'y': {4}}, 5)
    const hex =
      '80059531000000000000007d94288c016294430200ff948c0161949602000000000000007879948c017a94284b0391948c0179948f94284b0490752e'
    const { value } = readPickle(Uint8Array.from(Buffer.from(hex, 'hex')), new TorchRules())
    expect(plain(value)).toEqual({
      b: Uint8Array.of(0, 255),
      a: Uint8Array.of(0x78, 0x79),
      z: [3],
      y: [4],
    })
  })

  test('stops at the end of the pickle, whatever follows', () => {
    const [bytes = new Uint8Array()] = dumped
    const longer = new Uint8Array(bytes.length + 100).fill(0xff)
    longer.set(bytes)
    expect(readPickle(longer, new TorchRules()).end).toBe(bytes.length)
  })

  test.each(dumped.map((bytes) => [bytes]))('says where it is cut that it is', (bytes) => {
    for (let length = 0; length < bytes.length; length++)
      expect(
        () => readPickle(bytes.subarray(0, length), new TorchRules()),
        `cut at ${length}`,
      ).toThrow(PickleTruncated)
  })

  test('reads a number for every step of a long training, and not without end', () => {
    const floats = (count: number) => bytes('\x80\x02](', 'G?\xb9\0\0\0\0\0\0'.repeat(count), 'e.')
    expect(readPickle(floats(600_000), new TorchRules()).value).toHaveLength(600_000)
    const bits = bytes('\x80\x02](', 'K\x01'.repeat(2_000_001), 'e.')
    expect(() => readPickle(bits, new TorchRules())).toThrow(/more than 2000000 numbers/)
    const lists = bytes('\x80\x02](', ']'.repeat(500_001), 'e.')
    expect(() => readPickle(lists, new TorchRules())).toThrow(/more than 500000 opcodes/)
  })

  test('names what it refuses', async () => {
    const program = bytes('\x80\x02cos\nsystem\n.')
    expect(readPickle(program, new TorchRules()).value).toEqual(new PickleObject('os.system'))
    await expect(readTorchStream(bytesSource(stream(program)))).rejects.toThrow(
      /os\.system, which is not read, and nothing is executed/,
    )
  })
})
