import { basename, extname } from 'node:path'
import { type Command, Option } from 'commander'
import { UsageError } from '../../base/errors.ts'
import { bytes, counted } from '../../base/format.ts'
import { writeFileAtomic } from '../../base/node/atomicFile.ts'
import { exportOnnx } from '../../nn/onnx.ts'
import { loadRun, readRunConfig, readRunWeights } from '../../train/runFolder.ts'
import { writePyTorch } from '../../weights/pytorch/write.ts'
import { writeSafetensors } from '../../weights/safetensors.ts'
import { shortPath } from '../describe.ts'
import { type CommonOptions, path, withCommon } from '../options.ts'
import { Output } from '../output.ts'
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
  readonly out: string
}

export function addExport(command: Command): void {
  command
    .argument('<run>', 'a run folder, which train has written')
    .requiredOption('--out <file>', 'the file to write; an existing file is replaced', path)
    .addOption(
      new Option('--format <name>', "what to write (default: by the file's ending)").choices(
        formats,
      ),
    )
  withCommon(command).addHelpText(
    'after',
    `
  onnx         the whole network: input [batch, 3, size, size], output [batch, classes];
               preprocessing and class names as metadata
  pytorch      torchvision's parameter names, for torch.load and load_state_dict;
               the loaded object has .metadata
  safetensors  the weights with preprocessing and class names as metadata

Examples:
  npx graft-webgpu export runs/photos --out photos.onnx
  npx graft-webgpu export runs/photos --format pytorch --out photos.pth
  npx graft-webgpu export runs/photos --format safetensors --out photos.safetensors`,
  )
  command.action(run)
}

async function run(folder: string, options: ExportOptions): Promise<void> {
  const output = new Output(options.json)
  const { out } = options
  const format = options.format ?? endings[extname(out).toLowerCase()]
  if (!format)
    throw new UsageError(
      `${basename(out)} does not say which format is wanted: ` +
        `--format is one of ${formats.join(', ')}`,
    )
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
}

/** The run's arrays are copied unchanged: this needs no GPU. */
async function weightsOf(folder: string, format: 'safetensors' | 'pytorch'): Promise<Uint8Array> {
  const { tensors, metadata } = await readRunWeights(folder)
  return format === 'pytorch'
    ? writePyTorch(tensors, metadata)
    : writeSafetensors(tensors, metadata)
}
