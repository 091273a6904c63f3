import { stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { type Command, Option } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { bytes, counted } from '../../base/format.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { preprocessOf, type Variant } from '../../nn/alexnet.ts'
import { exportOnnx } from '../../nn/onnx.ts'
import type { Preprocess } from '../../nn/preprocess.ts'
import { loadRun, readRunConfig, readRunWeights } from '../../train/runFolder.ts'
import { writePyTorch } from '../../weights/pytorch/write.ts'
import { writeSafetensors } from '../../weights/safetensors.ts'
import { shortPath } from '../describe.ts'
import { type CommonOptions, path, withCommon } from '../options.ts'
import { Output } from '../output.ts'
import { nameOf, nextCommand } from '../shell.ts'
import { withEngine } from '../withEngine.ts'

const formats = ['onnx', 'safetensors', 'pytorch'] as const
type Format = (typeof formats)[number]

/** The format that a file's ending means. */
const endings: Readonly<Record<string, Format>> = {
  '.onnx': 'onnx',
  '.safetensors': 'safetensors',
  '.pth': 'pytorch',
  '.pt': 'pytorch',
}

interface ExportOptions extends CommonOptions {
  readonly format?: Format
  readonly out?: string
  readonly force?: boolean
}

export function addExport(command: Command): void {
  command
    .argument('<run>', 'a run folder, which train has written')
    .option(
      '--out <file>',
      'the file to write (default: the name of RUN and the ending of the format, in this folder)',
      path,
    )
    .addOption(
      new Option(
        '--format <name>',
        "what to write (default: by the file's ending, else onnx)",
      ).choices(formats),
    )
    .option('--force', 'replace the file if there is one already')
  withCommon(command).addHelpText(
    'after',
    `
  onnx         the whole network: input [batch, 3, size, size], output [batch, classes];
               preprocessing and class names as metadata
  pytorch      torchvision's parameter names, for torch.load and load_state_dict;
               the loaded object has .metadata
  safetensors  the weights with preprocessing and class names as metadata

Examples:
  npx graft-webgpu export runs/photos
  npx graft-webgpu export runs/photos --format pytorch
  npx graft-webgpu export runs/photos --out models/photos.safetensors`,
  )
  command.action(run)
}

async function run(folder: string, options: ExportOptions): Promise<void> {
  const output = new Output(options.json)
  const { format, out } = targetOf(folder, options)
  await requireAbsent(out, options.force)
  const { classes, architecture } = await readRunConfig(folder)
  const content =
    format === 'onnx'
      ? await withEngine(options.adapter, output, async (engine) =>
          exportOnnx((await loadRun(engine, folder)).model),
        )
      : await weightsOf(folder, format)
  await writeFileAtomic(out, content)
  output.event({ type: 'result', run: folder, format, file: out, bytes: content.length, classes })
  output.labeled(
    'wrote',
    [
      `${shortPath(out)}: ${format}`,
      architecture.variant,
      counted(classes.length, 'class', 'classes'),
      bytes(content.length),
    ].join(', '),
  )
  output.labeled('input', inputText(preprocessOf(architecture.variant as Variant)))
  output.command('next', nextCommand('train', 'YOUR_FOLDER', '--weights', shortPath(out)))
}

/** What the network takes, for whoever runs the file elsewhere. */
function inputText({ size, resize, mean, std, scale, order }: Preprocess): string {
  return (
    `float32 [n, 3, ${size}, ${size}]: the shorter side resized to ${resize}, the middle ` +
    `cut out, ${order.toUpperCase()} from 0 to ${scale}, less ${listed(mean)}, ` +
    `divided by ${listed(std)}`
  )
}

const listed = (values: readonly number[]) => `(${values.join(', ')})`

/** @throws UsageError where the file's name says no format, and none is given */
function targetOf(
  folder: string,
  { format, out }: ExportOptions,
): { readonly format: Format; readonly out: string } {
  if (out === undefined) {
    const chosen = format ?? 'onnx'
    const ending = Object.keys(endings).find((one) => endings[one] === chosen) ?? ''
    return { format: chosen, out: `${nameOf(folder)}${ending}` }
  }
  const found = format ?? endings[extname(out).toLowerCase()]
  if (!found)
    throw new UsageError(
      `${basename(out)} does not say which format is wanted: ` +
        `--format is one of ${formats.join(', ')}`,
    )
  return { format: found, out }
}

/** @throws UsageError where there is a file already: nothing is replaced unasked */
async function requireAbsent(out: string, force = false): Promise<void> {
  if (force || !(await stat(out).catch(() => null))) return
  throw new UsageError(`${out} exists already: --force replaces it, --out names another file`)
}

/** The run's arrays are copied unchanged: this needs no GPU. */
async function weightsOf(folder: string, format: 'safetensors' | 'pytorch'): Promise<Uint8Array> {
  const { tensors, metadata } = await readRunWeights(folder)
  return format === 'pytorch'
    ? writePyTorch(tensors, metadata)
    : writeSafetensors(tensors, metadata)
}
