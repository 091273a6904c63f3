import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const path = join(root, 'test', 'program.ts')

/** A user's program, with a mark where something is being typed or wrong. */
const program = `
import { alexnet, applyScenario, createEngine, importOnnx, loadWeights, resizeCrop } from '../src/index.ts'
const engine = await createEngine({ adapter: '/*adapter*/' })
const model = await alexnet(engine, { variant: '/*variant*/', weights: '/*weights*/' })
applyScenario(model, { scenario: '/*scenario*/', classes: 2, init: '/*init*/' })
await loadWeights('/*name*/')
`

/** Correct and wrong lines, each with a part of what the compiler says of it. */
const lines: readonly (readonly [string, RegExp | null])[] = [
  ["await alexnet(engine, { weights: './mine.safetensors', classes: 3 })", null],
  ['await alexnet(engine, { classes: names.length })', null],
  ["applyScenario(model, { scenario: 'small-similar', classes: names.length })", null],
  ['await alexnet(createEngine())', /"createEngine\(\) returns a promise: write await createE/],
  ['await importOnnx(createEngine(), "a.onnx")', /"createEngine\(\) returns a promise: write/],
  ['resizeCrop(createEngine(), image, { resize: 9, size: 9 })', /returns a promise: write await/],
  ['createEngine().tensor(new Float32Array(1), [1])', /[Ff]orget to use 'await'/],
  ['await alexnet(engine, { classes: 1 })', /a network tells at least two classes apart: add one/],
  [
    "applyScenario(model, { scenario: 'small-similar', classes: 1 })",
    /a network tells at least two classes apart: add one/,
  ],
]
const text = `${program}
declare const names: string[]
declare const image: { data: Uint8Array; width: number; height: number }
${lines.map(([line]) => line).join('\n')}
export {}
`

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
const service = ts.createLanguageService({
  getScriptFileNames: () => [path],
  getScriptVersion: () => '1',
  getScriptSnapshot: (name) => {
    const found = name === path ? text : ts.sys.readFile(name)
    return found === undefined ? undefined : ts.ScriptSnapshot.fromString(found)
  },
  getCurrentDirectory: () => dirname(path),
  getCompilationSettings: () => ({ ...options, noEmit: true }),
  getDefaultLibFileName: ts.getDefaultLibFilePath,
  fileExists: (name) => name === path || ts.sys.fileExists(name),
  readFile: ts.sys.readFile,
})

test.each([
  ['adapter', ['auto', 'hardware', 'lavapipe', 'swiftshader']],
  ['variant', ['alexnet-64', 'bvlc', 'torchvision']],
  ['weights', ['alexnet-64-tinyimagenet100', 'torchvision/alexnet']],
  ['name', ['alexnet-64-tinyimagenet100', 'torchvision/alexnet']],
  ['scenario', ['large-different', 'large-similar', 'small-different', 'small-similar']],
  ['init', ['constant', 'kaiming-normal', 'pretrained', 'xavier-uniform']],
])('an editor completes %s', (mark, names) => {
  const position = text.indexOf(`/*${mark}*/`)
  const found = service.getCompletionsAtPosition(path, position, {})?.entries ?? []
  expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(names))
})

test('what is forgotten is said by the compiler in a sentence of its own', () => {
  const first = text.slice(0, text.indexOf(lines[0]?.[0] ?? '')).split('\n').length - 1 // '' fails
  const said = lines.map(() => '')
  for (const one of service.getSemanticDiagnostics(path)) {
    const line = text.slice(0, one.start).split('\n').length - 1 - first
    const related = one.relatedInformation?.map(({ messageText }) => messageText) ?? []
    const texts = [one.messageText, ...related].map((part) =>
      ts.flattenDiagnosticMessageText(part, ' '),
    )
    if (line >= 0) said[line] += texts.join(' ')
  }
  for (const [i, [line, expected]] of lines.entries())
    expect(said[i], line).toEqual(expected ? expect.stringMatching(expected) : '')
})
