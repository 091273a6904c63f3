/**
 * safetensors files with hostile headers, shard indices and model.json files that lead elsewhere or
 * promise too much.
 */
import { assemble } from '../headers.ts'
import { bytes, type HostileFile, u64, values } from './build.ts'

const entry = { dtype: 'F32', shape: [4], data_offsets: [0, 16] }
const json = (value: unknown) => bytes(Buffer.from(JSON.stringify(value)))
/** JSON so deep that whoever walks it by recursion runs out of stack. */
const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

const headers: [string, Uint8Array][] = [
  ['a header of 100,000,001 bytes', bytes(u64(100_000_001n), '{')],
  ['a header of 2^63 bytes', bytes(u64(2n ** 63n), '{')],
  ['a header as long as the limit in a short file', bytes(u64(100_000_000n), '{}')],
  ['a header of 2^64 - 1 bytes', bytes(u64(2n ** 64n - 1n), '{')],
  ['two tensors in one place', assemble(JSON.stringify({ a: entry, b: entry }), values)],
  [
    'tensors that overlap by a byte',
    assemble(
      JSON.stringify({ a: entry, b: { ...entry, data_offsets: [15, 31] } }),
      new Uint8Array(31),
    ),
  ],
  [
    'offsets of 2^52',
    assemble(JSON.stringify({ a: { ...entry, data_offsets: [2 ** 52, 2 ** 52 + 16] } }), values),
  ],
  [
    'offsets beyond the end',
    assemble(
      JSON.stringify({ a: { ...entry, shape: [2 ** 40], data_offsets: [0, 2 ** 42] } }),
      values,
    ),
  ],
  [
    'offsets the wrong way round',
    assemble(JSON.stringify({ a: { ...entry, data_offsets: [16, 0] } }), values),
  ],
  [
    'an offset below 0',
    assemble(JSON.stringify({ a: { ...entry, data_offsets: [-16, 0] } }), values),
  ],
  [
    'a shape that overflows',
    assemble(JSON.stringify({ a: { ...entry, shape: [2 ** 40, 2 ** 40] } }), values),
  ],
  [
    'a shape of 100,000 sizes',
    assemble(JSON.stringify({ a: { ...entry, shape: new Array(100_000).fill(1e9) } }), values),
  ],
  ['a type that is none', assemble(JSON.stringify({ a: { ...entry, dtype: 'Q4_0' } }), values)],
  [
    'a type that every object has',
    assemble(JSON.stringify({ a: { ...entry, dtype: '__proto__' } }), values),
  ],
  [
    'a type that is a deep list',
    assemble(`{"a":{"dtype":${deep(200_000)},"shape":[4],"data_offsets":[0,16]}}`, values),
  ],
  ['a deep list for an entry', assemble(`{"a":${deep(500_000)}}`, values)],
  ['a deep list for metadata', assemble(`{"__metadata__":${deep(500_000)}}`, values)],
  [
    '100,000 tensors in one place',
    assemble(
      `{${Array.from({ length: 100_000 }, (_, i) => `"${i}":${JSON.stringify(entry)}`)}}`,
      values,
    ),
  ],
  [
    'a name of 1 MB',
    assemble(JSON.stringify({ ['n'.repeat(2 ** 20)]: { ...entry, shape: [5] } }), values),
  ],
  ['4 MB of brackets that never close', assemble('{"a":'.padEnd(4 * 2 ** 20, '['))],
]

const index = (map: unknown) => ({ metadata: {}, weight_map: map })
const shard = assemble(JSON.stringify({ a: entry }), values)

const indices: [string, Uint8Array, Record<string, Uint8Array>][] = [
  ['a shard above', json(index({ a: '../b.safetensors' })), {}],
  ['a shard from the root', json(index({ a: '/etc/passwd' })), {}],
  ['a shard above, for Windows', json(index({ a: '..\\b.safetensors' })), {}],
  ['a shard on a drive', json(index({ a: 'C:b.safetensors' })), {}],
  ['a shard on a server', json(index({ a: 'https://example.com/b.safetensors' })), {}],
  ['a shard that is the folder', json(index({ a: '.' })), {}],
  ['a shard that is missing', json(index({ a: 'b.safetensors' })), {}],
  ['a shard that is the index', json(index({ a: 'a.json' })), {}],
  ['a shard that is a number', json(index({ a: 7 })), {}],
  ['no map', json(index('b.safetensors')), {}],
  ['a map that is a list', json(index(['b.safetensors'])), {}],
  ['a map that is null', json(index(null)), {}],
  [
    'a tensor that its shard lacks',
    json(index({ a: 'b.safetensors', c: 'b.safetensors' })),
    { 'b.safetensors': shard },
  ],
  ['a tensor that no index has', json(index({ c: 'b.safetensors' })), { 'b.safetensors': shard }],
  [
    'a shard cut short',
    json(index({ a: 'b.safetensors' })),
    { 'b.safetensors': shard.subarray(0, -1) },
  ],
  ['a deep list for a map', bytes(`{"weight_map":${deep(500_000)}}`), {}],
  ['a deep list for a shard', bytes(`{"weight_map":{"a":${deep(500_000)}}}`), {}],
  ['JSON that ends early', bytes('{"weight_map":{"a":'), {}],
  ['JSON that is not UTF-8', bytes('{"weight_map":"\xff"}'), {}],
  [
    'JSON of something else',
    json({ name: 'somebody', scripts: { postinstall: 'touch pwned' } }),
    {},
  ],
]

type Layer = { readonly class_name: string; readonly config: Record<string, unknown> }

const conv = (name: string, kernel: number, stride = 1, padding = 'same'): Layer => ({
  class_name: 'Conv2D',
  config: {
    name,
    kernel_size: [kernel, kernel],
    strides: [stride, stride],
    padding,
    activation: 'relu',
  },
})
const pool: Layer = {
  class_name: 'MaxPooling2D',
  config: { name: 'pool', pool_size: [3, 3], strides: [2, 2], padding: 'valid' },
}
const layers: readonly Layer[] = [
  conv('c1', 11, 4, 'valid'),
  pool,
  conv('c2', 5),
  pool,
  conv('c3', 3),
  conv('c4', 3),
  conv('c5', 3),
  pool,
]
const kernels = [11, 5, 3, 3, 3]
const weights = kernels.flatMap((kernel, i) => [
  { name: `c${i + 1}/kernel`, shape: [kernel, kernel, i ? 1 : 3, 1], dtype: 'float32' },
  { name: `c${i + 1}/bias`, shape: [1], dtype: 'float32' },
])
const size = weights.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0)

/** A sound model without dense layers. */
export const soundModel = {
  format: 'layers-model',
  modelTopology: topology(layers),
  weightsManifest: [{ paths: ['b.bin'], weights }],
}
export const soundShard = new Uint8Array(size)

function topology(list: unknown): object {
  return { model_config: { class_name: 'Sequential', config: { layers: list } } }
}

function replaced(at: number, layer: unknown): object {
  return {
    ...soundModel,
    modelTopology: topology(layers.map((old, i) => (i === at ? layer : old))),
  }
}

function weight(changes: object): object {
  return {
    ...soundModel,
    weightsManifest: [
      {
        paths: ['b.bin'],
        weights: weights.map((old, i) => (i === 0 ? { ...old, ...changes } : old)),
      },
    ],
  }
}

const group = (paths: unknown) => ({ ...soundModel, weightsManifest: [{ paths, weights }] })
const nest = (depth: number) =>
  `${'{"class_name":"Sequential","config":{"layers":['.repeat(depth)}${']}}'.repeat(depth)}`

const models: [string, object | string][] = [
  ['a shard above', group(['../b.bin'])],
  ['a shard from the root', group(['/etc/passwd'])],
  ['a shard on a server', group(['http://example.com/b.bin'])],
  ['a shard that is a device', group(['/dev/zero'])],
  ['a shard that is missing', group(['c.bin'])],
  ['a shard twice', group(['b.bin', 'b.bin'])],
  ['ten thousand times one shard', group(new Array(10_000).fill('b.bin'))],
  ['no shards', group([])],
  ['shards that are no list', group('b.bin')],
  ['a shard that is a number', group([7])],
  ['a manifest that is no list', { ...soundModel, weightsManifest: {} }],
  ['an empty manifest', { ...soundModel, weightsManifest: [] }],
  ['a manifest of nothing', { ...soundModel, weightsManifest: [null] }],
  ['a weight without a name', weight({ name: undefined })],
  ['a weight there twice', weight({ name: 'c1/bias', shape: [363] })],
  ['a negative size', weight({ shape: [-11, -11, 3, 1] })],
  ['a size that is no integer', weight({ shape: [0.5, 726] })],
  ['a shape that overflows', weight({ shape: [2 ** 40, 2 ** 40] })],
  ['a weight of 4 TB', weight({ shape: [2 ** 40] })],
  ['a weight that every shard is too short for', weight({ shape: [11, 11, 3, 2] })],
  ['texts', weight({ dtype: 'string' })],
  ['complex numbers', weight({ dtype: 'complex64' })],
  ['a type that every object has', weight({ dtype: 'constructor' })],
  ['quantized to what is none', weight({ quantization: { dtype: 'uint4', scale: 1, min: 0 } })],
  ['a scale that is a text', weight({ quantization: { dtype: 'uint8', scale: 'big', min: 0 } })],
  ['a layer of another name', replaced(0, conv('other', 11, 4, 'valid'))],
  [
    'a batch normalization',
    replaced(1, { class_name: 'BatchNormalization', config: { name: 'bn' } }),
  ],
  [
    'a lambda, which is a program',
    replaced(1, { class_name: 'Lambda', config: { name: 'l', function: ['4wEAAAA='] } }),
  ],
  ['another stride', replaced(2, conv('c2', 5, 2))],
  ['another first convolution', replaced(0, conv('c1', 7, 2, 'valid'))],
  ['a first convolution padded by Keras', replaced(0, conv('c1', 11, 4, 'same'))],
  [
    'kernels that are not square',
    replaced(2, { class_name: 'Conv2D', config: { ...layers[2]?.config, kernel_size: [5, 3] } }),
  ],
  [
    'another activation',
    replaced(2, { class_name: 'Conv2D', config: { ...layers[2]?.config, activation: 'tanh' } }),
  ],
  [
    'no bias',
    replaced(2, { class_name: 'Conv2D', config: { ...layers[2]?.config, use_bias: false } }),
  ],
  [
    'channels first',
    replaced(2, {
      class_name: 'Conv2D',
      config: { ...layers[2]?.config, data_format: 'channels_first' },
    }),
  ],
  [
    'another pool',
    replaced(1, { class_name: 'MaxPooling2D', config: { ...pool.config, pool_size: [2, 2] } }),
  ],
  [
    'a layer too many',
    {
      ...soundModel,
      modelTopology: topology([
        ...layers,
        { class_name: 'GlobalAveragePooling2D', config: { name: 'g' } },
      ]),
    },
  ],
  ['a layer too few', { ...soundModel, modelTopology: topology(layers.slice(0, -1)) }],
  ['no layers', { ...soundModel, modelTopology: topology([]) }],
  ['layers that are no list', { ...soundModel, modelTopology: topology('alexnet') }],
  ['a layer that is null', replaced(0, null)],
  ['no topology', { ...soundModel, modelTopology: null }],
  ['a graph model', { ...soundModel, format: 'graph-model' }],
  ['models in models, 20,000 deep', `{"weightsManifest":[],"modelTopology":${nest(20_000)}}`],
  [
    'a deep list for a stride',
    JSON.stringify(
      replaced(2, { class_name: 'Conv2D', config: { name: 'c2', strides: 'DEEP' } }),
    ).replace('"DEEP"', deep(200_000)),
  ],
  [
    'a deep list for an activation',
    JSON.stringify(
      replaced(2, { class_name: 'Activation', config: { activation: 'DEEP' } }),
    ).replace('"DEEP"', deep(200_000)),
  ],
  [
    'a deep list for a type',
    JSON.stringify(weight({ dtype: 'DEEP' })).replace('"DEEP"', deep(200_000)),
  ],
]

export const manifests: readonly HostileFile[] = [
  ...headers.map(([title, file]) => ({
    title: `safetensors: ${title}`,
    files: { 'a.safetensors': file },
  })),
  ...indices.map(([title, file, more]) => ({
    title: `index: ${title}`,
    files: { 'a.json': file, ...more },
  })),
  ...models.map(([title, model]) => ({
    title: `model.json: ${title}`,
    files: {
      'model.json': typeof model === 'string' ? bytes(model) : json(model),
      'b.bin': soundShard,
    },
  })),
]
