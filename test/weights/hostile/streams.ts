/** Checkpoints whose pickle is a program that somebody wrote to do harm, or damaged. */
import { bytes, pickle, soundDict, stream, streamParts, u64 } from './build.ts'

const { text, dict, program } = pickle

/** Streams whose parts around the pickle are wrong. */
export const streams: [string, Uint8Array][] = [
  [
    'another magic number',
    bytes(program('\x8a\x01\x07'), streamParts.version, streamParts.system, soundDict),
  ],
  ['a plain pickle', soundDict],
  [
    'another format version',
    bytes(streamParts.magic, program('M\xea\x03'), streamParts.system, soundDict),
  ],
  [
    'a big-endian machine',
    stream(soundDict, { system: program(dict(text('little_endian'), bytes('\x89'))) }),
  ],
  ['no word of the machine', stream(soundDict, { system: program('N') })],
  ['storages that are no list', stream(soundDict, { keys: program('N') })],
  ['a storage without a name', stream(soundDict, { keys: program(']N', 'a') })],
  [
    'a storage listed twice',
    stream(soundDict, { keys: program(']', text('0'), 'a', text('0'), 'a') }),
  ],
  [
    'a storage listed that no tensor has',
    stream(soundDict, { keys: program(']', text('7'), 'a') }),
  ],
  ['no storage listed', stream(soundDict, { keys: program(']') })],
  ['a storage of another length', stream(soundDict, { data: bytes(u64(5n), new Uint8Array(20)) })],
  [
    'a storage of fewer numbers than none',
    stream(soundDict, { data: bytes(u64(2n ** 64n - 4n), new Uint8Array(16)) }),
  ],
]
