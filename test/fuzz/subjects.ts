/** Valid files of every format that Graft reads, and how each is opened. */
import { join } from 'node:path'
import sharp from 'sharp'
import { at } from '../../src/base/at.ts'
import type { ImageDataset } from '../../src/data/dataset.ts'
import { openData } from '../../src/data/openData.ts'
import type { RgbImage } from '../../src/host/host.ts'
import { diskFiles } from '../../src/host/node/files.ts'
import { nodeHost } from '../../src/nodeHost.ts'
import { readCheckpoint } from '../../src/train/checkpoint.ts'
import { readRunConfig, readRunMetrics, readRunTimings } from '../../src/train/runFolder.ts'
import { loadWeights } from '../../src/weights/load.ts'
import { writePyTorch } from '../../src/weights/pytorch/write.ts'
import type { WeightsFile } from '../../src/weights/safetensors.ts'
import { writeSafetensors } from '../../src/weights/safetensors.ts'
import { bytes, pickle, stream, tensor } from '../weights/hostile/build.ts'
import { sound } from '../weights/hostile/index.ts'
import { onnxFile, small } from '../weights/onnx/build.ts'

/** One kind of file, or of several files that belong together. */
export interface Subject {
  readonly name: string
  /** The files by their paths in a folder; only those in `damaged` are changed. */
  readonly files: Readonly<Record<string, Uint8Array>>
  readonly damaged: readonly string[]
  /**
   * Opens the files in a folder and checks what is read.
   * @throws Error that is no GraftError where the values cannot be right
   */
  open(folder: string): Promise<void>
}

/** A weights file of which the first is opened. */
function weights(name: string, files: Readonly<Record<string, Uint8Array>>): Subject {
  const names = Object.keys(files)
  return {
    name,
    files,
    damaged: names,
    open: async (folder) => checkWeights(await loadWeights(join(folder, at(names, 0)))),
  }
}

function checkWeights({ tensors }: WeightsFile): void {
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const count = shape.reduce((product, size) => product * size, 1)
    if (count !== data.length) throw new Error(`${name}: ${count} numbers wanted, ${data.length}`)
  }
}

/** Labeled images, whose images themselves stay as they are. */
function labeled(name: string, file: string, files: Record<string, Uint8Array>): Subject {
  const open = async (folder: string) => checkData(await openData(join(folder, file)))
  return { name, files, damaged: [file], open }
}

function checkData({ classes, train, val }: ImageDataset): void {
  for (const { name, label } of [...train, ...val])
    if (classes[label] === undefined) throw new Error(`${name}: label ${label}`)
}

function image(name: string, content: Uint8Array): Subject {
  const file = `a.${name}`
  return {
    name,
    files: { [file]: content },
    damaged: [file],
    open: async (folder) => checkImage(await nodeHost.decodeImage(join(folder, file))),
  }
}

function checkImage({ data, width, height }: RgbImage): void {
  if (data.length !== 3 * width * height) throw new Error(`${data.length} bytes of pixels`)
}

const epoch = {
  epoch: 1,
  trainLoss: 1,
  trainAccuracy: 0.5,
  valLoss: 1,
  valAccuracy: 0.5,
  seconds: 1,
}
const architecture = { variant: 'alexnet-64', channels: [8, 8, 8, 8, 8], hidden: 8, dropout: 0.3 }
const runFolder: Subject = {
  name: 'run folder',
  files: {
    'config.json': json({
      graft: '0.1.0',
      architecture: { ...architecture, classes: 2 },
      plan: {
        scenario: 'small-similar',
        replace: 'last',
        cut: null,
        removed: ['classifier.6'],
        added: [{ name: 'classifier.6', description: 'FC 8 to 2' }],
        frozen: ['features.0.weight'],
        trained: ['classifier.6.weight'],
        frozenValues: 968,
        trainedValues: 16,
        startsFrom: 'pretrained',
        classes: 2,
        seed: 0,
        reasons: ['few images, like those of the pretraining'],
      },
      classes: ['ant', 'bee'],
      options: { epochs: 1 },
      adapter: 'lavapipe',
    }),
    'metrics.jsonl': bytes(json(epoch), '\n', json({ ...epoch, epoch: 2 }), '\n'),
    'timings.json': json({ choosing: 1, reading: 1, compiling: 1, training: 1, validating: 1 }),
    'epoch.safetensors': writeSafetensors(
      { 'weight/x': { shape: [2], data: Float32Array.of(1, 2) } },
      { checkpoint: JSON.stringify({ epochs: [epoch], passes: 1, options: { seed: 1 } }) },
    ),
  },
  damaged: ['config.json', 'metrics.jsonl', 'timings.json', 'epoch.safetensors'],
  open: async (folder) => {
    await readRunMetrics(folder)
    await readRunTimings(folder)
    await readCheckpoint(diskFiles, folder)
    await readRunConfig(folder)
  },
}

function json(value: unknown): Uint8Array {
  return bytes(Buffer.from(JSON.stringify(value)))
}

/** A member of a tar archive. */
function member(name: string, content: Uint8Array): Uint8Array {
  const field = (value: number, length: number) =>
    `${value.toString(8).padStart(length - 1, '0')}\0`
  const head = (sum: string) =>
    bytes(
      name.padEnd(100, '\0'),
      field(0o644, 8),
      field(0, 8),
      field(0, 8),
      field(content.length, 12),
      field(0, 12),
      sum,
      '0',
      '\0'.repeat(100),
      'ustar\x0000',
      '\0'.repeat(247),
    )
  const sum = head(' '.repeat(8)).reduce((total, byte) => total + byte, 0)
  const padding = '\0'.repeat((512 - (content.length % 512)) % 512)
  return bytes(head(`${field(sum, 7)} `), content, padding)
}

/** All subjects. They are made the same every time. */
export async function makeSubjects(): Promise<readonly Subject[]> {
  const pixels = Uint8Array.from({ length: 3 * 24 * 16 }, (_, i) => (i * i) % 251)
  const picture = sharp(pixels, { raw: { width: 24, height: 16, channels: 3 } })
  const [png, jpeg, webp] = await Promise.all([
    picture.clone().png().toBuffer(),
    picture.clone().jpeg().toBuffer(),
    picture.clone().webp().toBuffer(),
  ])
  const tensors = {
    'features.0.weight': { shape: [2, 3, 2, 2], data: new Float32Array(24).fill(0.5) },
    'features.0.bias': { shape: [2], data: Float32Array.of(1, 2) },
  }
  const images = Object.fromEntries(
    ['ant/1', 'ant/2', 'bee/3', 'bee/4'].map((name) => [`${name}.png`, new Uint8Array(png)]),
  )
  const table = (separator: string) =>
    bytes(
      [['file', 'label'], ...Object.keys(images).map((file) => [file, file.slice(0, 3)])]
        .map((row) => `${row.join(separator)}\n`)
        .join(''),
    )
  const members = Object.entries(images).map(([name, content]) => member(name, content))
  const { program, dict, text } = pickle
  return [
    ...sound.map(({ title, files }) => weights(title, files)),
    weights('checkpoint', { 'a.pth': await writePyTorch(tensors, { classes: '["ant","bee"]' }) }),
    weights('old checkpoint', {
      'a.pth': stream(program(dict(text('model'), dict(text('features.0.bias'), tensor())))),
    }),
    weights('onnx', { 'a.onnx': onnxFile(small) }),
    labeled('csv', 'labels.csv', { 'labels.csv': table(','), ...images }),
    labeled('tsv', 'labels.tsv', { 'labels.tsv': table('\t'), ...images }),
    labeled('tar', 'a.tar', { 'a.tar': bytes(...members, '\0'.repeat(1024)) }),
    image('png', png),
    image('jpg', jpeg),
    image('webp', webp),
    runFolder,
  ]
}
