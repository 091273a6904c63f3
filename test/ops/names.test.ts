/**
 * An operator is known by name to its own files only, and to what uses it. Everything else reads
 * the table of specifications.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { specifications } from '../../src/reference/index.ts'

const src = join(import.meta.dirname, '../../src')

/** Files that every operator may be named in: the table, and what offers operators to users. */
const common = [
  'reference/table.ts',
  'autograd/functions.ts',
  'autograd/elementwise.ts',
  'autograd/normalize.ts',
  'universal.ts',
  'index.ts',
]

/** Operators whose names are words of every program. They are named where they are imported. */
const words = ['add', 'clamp', 'concat']

/** Files that name an operator because they use it, or that use the word for something else. */
const users: Readonly<Record<string, readonly string[]>> = {
  'a layer for each operator': ['nn/layers.ts', 'nn/batchNorm.ts', 'nn/activations.ts'],
  'blocks of layers, and networks of blocks': ['nn/blocks.ts', 'nn/resnet.ts'],
  'the logistic function': ['reference/silu.ts'],
  'statistics that a new start resets': ['transfer/scenario.ts'],
  'the ReLU in the launch of the layer before it': [
    'nn/chain.ts',
    'nn/module.ts',
    'nn/network.ts',
    'ops/add.ts',
    'ops/batchNorm.ts',
    'ops/contract.ts',
    'ops/contraction.ts',
    'ops/contractionSample.ts',
    'ops/conv2d.ts',
    'ops/conv2dContractions.ts',
    'ops/depthwise.ts',
    'ops/linear.ts',
    'reference/add.ts',
    'reference/batchNorm.ts',
    'reference/conv2d.ts',
    'reference/explanation.ts',
    'reference/linear.ts',
    'inspect/numbers.ts',
    'inspect/web/tensors.tsx',
  ],
  'a kernel of the dense layer': ['ops/outerProduct.ts'],
  'AlexNet, and its probability of dropout': [
    'nn/alexnet.ts',
    'nn/network.ts',
    'train/runConfig.ts',
    'train/runForms.ts',
  ],
  'layers that files of other formats name': [
    'nn/onnx.ts',
    'weights/onnx/encode.ts',
    'weights/onnx/graph.ts',
    'weights/onnx/layers.ts',
    'weights/onnx/names.ts',
    'weights/onnx/operators.ts',
    'weights/tfjs/layers.ts',
  ],
  'the loss': [
    'train/evaluate.ts',
    'train/memory.ts',
    'train/step.ts',
    'train/tune.ts',
    'inspect/step.ts',
    'report/stepTimes.ts',
  ],
  'logits as probabilities': [
    'train/outcomes.ts',
    'report/occlusionMap.ts',
    'reference/crossEntropy.ts',
  ],
  'a matrix product': ['train/probe.ts'],
  'the mean of every channel of an image': ['train/readings.ts'],
  'the tour of the page explains a convolution': [
    'inspect/web/learn/gradientStep.tsx',
    'inspect/web/learn/slidingProduct.tsx',
    'inspect/web/learn/tourRun.ts',
  ],
  'the drawing of a network, and what one number of it sees': [
    'inspect/graph.ts',
    'inspect/receptive.ts',
    'inspect/web/see/chosenLayer.tsx',
    'inspect/web/see/seeing.tsx',
  ],
  'lessons and exercises': [
    'inspect/exercises.ts',
    'inspect/web/learn/chapters.tsx',
    'inspect/web/learn/overfittingChapter.tsx',
    'inspect/web/learn/scores.tsx',
    'inspect/web/learn/softmaxChapter.tsx',
  ],
  'the shortest kernel, which the laboratory opens with': ['inspect/web/lab.tsx'],
  'an example in the help': ['cli/commands/check.ts'],
  'a learning rate that rises linearly': ['optim/schedules.ts', 'train/recipe/rates.ts'],
  'a linear classifier, in a sentence': [
    'cli/describeChoice.ts',
    'report/sections/evidence.tsx',
    'transfer/decide.ts',
    'web/planned.tsx',
  ],
  'a linear scale of colors': ['inspect/web/images.ts'],
  'a linear gradient, in a style': ['report/sections/style.ts'],
}

const withoutComments = (text: string) =>
  text.replace(/\/\*.*?\*\//gs, '').replace(/(?<!:)\/\/.*/g, '')

test('an operator is named only in its own files, and where it is used', async () => {
  const found = new Set<string>()
  const files = (await readdir(src, { recursive: true })).filter((file) => /\.tsx?$/.test(file))
  for (const file of files) {
    const text = withoutComments(await readFile(join(src, file), 'utf8'))
    for (const name of Object.keys(specifications)) {
      const own = file === `reference/${name}.ts` || file.startsWith(`ops/${name}`)
      const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
      const named = words.includes(name)
        ? new RegExp(`import \\{[^}]*\\b${name}\\b[^}]*\\} from '[./]+(ops/|autograd/)`)
        : new RegExp(`\\b(${name}|${snake})\\b`)
      if (!own && named.test(text)) found.add(file)
    }
  }
  for (const file of common) found.delete(file)
  // A file that no longer names an operator is to leave the list.
  expect([...found].sort()).toEqual([...new Set(Object.values(users).flat())].sort())
})
