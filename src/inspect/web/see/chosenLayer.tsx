import { at } from '../../../base/at.ts'
import { thousands } from '../../../base/format.ts'
import { passKind } from '../../../nn/layerTimes.ts'
import { valuesIn } from '../../cutCosts.ts'
import { dispatchesOf, firstCall, type GraphNode, lastCall, resultShape } from '../../graph.ts'
import { describeState, layerNamed } from '../layers.ts'
import { inspection, lossName, nodes, valuesOf } from '../model.ts'
import { go, href } from '../route.ts'
import { TensorImage } from '../tensorImage.tsx'
import { amount, shapeText, time } from '../text.ts'
import { sizeText } from './drawing.tsx'

/** What an operator does, in one or two sentences. */
const meanings: Readonly<Record<string, string>> = {
  conv2d:
    'Each map is what one filter found: bright where the input under the filter looks like it, ' +
    'dark where it does not.',
  maxPool2d: 'Of every small window only the largest number stays: the maps become smaller.',
  adaptiveAvgPool2d: 'Windows are averaged, so that the maps have one size for any image.',
  localResponseNorm:
    'Every number is divided by what the maps beside it have at the same place: strong answers ' +
    'weaken their neighbors.',
  linear: 'Every output is a sum over all inputs, each with a weight of its own, and a bias.',
  softmax: 'Scores become probabilities that add up to 1.',
  relu: 'What is below zero becomes zero.',
  dropout: 'In training, some numbers are dropped at random and the others made larger.',
  add: 'Two results are added, number by number: the branches meet here.',
}

/** The layer that was clicked: its maps in large, its shapes, its parameters, and its kernels. */
export function ChosenLayer({ node }: { readonly node: GraphNode }) {
  const first = firstCall(inspection, node)
  const result = lastCall(inspection, node).tensors.y
  const layer = layerNamed(node.layer)
  const place = nodes.indexOf(node)
  const scores = node === nodes.at(-1)
  const kernel = first.operator === 'conv2d' ? first.tensors.weight : undefined
  const weight = kernel === undefined ? null : valuesOf(kernel)
  const select = (name: string) => (index: readonly number[]) =>
    go('tensors', first.layer ?? lossName, name, ...index)
  return (
    <section class="chosen-layer" aria-label={`Layer ${node.layer}`}>
      <h3 id="chosen-layer" tabIndex={-1}>
        {node.layer} <span class="quiet">{layer?.description}</span>
      </h3>
      <p>
        {meanings[first.operator] ?? ''}{' '}
        {scores ? 'These are the scores of the classes, before softmax.' : ''}
      </p>
      <div class="split">
        <dl class="facts-list">
          <dt>reads</dt>
          <dd>{node.reads.map(readText).join(' and ') || 'nothing'}</dd>
          <dt>makes</dt>
          <dd>
            {sizeText(node)}, {shapeText(resultShape(inspection, lastCall(inspection, node)) ?? [])}
          </dd>
          {node.layers.length > 1 ? (
            <>
              <dt>with</dt>
              <dd>{node.layers.slice(1).map(described).join(', ')}</dd>
            </>
          ) : null}
          <dt>parameters</dt>
          <dd>
            {layer?.parameters.length
              ? `${thousands(valuesIn(layer))} values: ` +
                layer.parameters.map(({ name, shape }) => `${name} ${shapeText(shape)}`).join(', ')
              : 'none'}
          </dd>
          <dt>in training</dt>
          <dd>{layer ? describeState(layer) : 'no parameters'}</dd>
          <Kernels node={node} />
        </dl>
        <div>
          {result ? (
            <TensorImage
              key={result}
              name="y"
              title={scores ? 'The scores' : 'What it makes'}
              tensorKey={result}
              onSelect={select('y')}
            />
          ) : null}
          {kernel !== undefined && weight?.shape[1] === 3 ? (
            <TensorImage
              key={kernel}
              name="weight"
              title="Its filters, in color"
              tensorKey={kernel}
              onSelect={select('weight')}
            />
          ) : null}
        </div>
      </div>
      <p class="actions">
        {place > 0 ? (
          <a href={href('image', at(nodes, place - 1).layer)}>← {at(nodes, place - 1).layer}</a>
        ) : null}
        {scores ? null : (
          <a href={href('image', at(nodes, place + 1).layer)}>{at(nodes, place + 1).layer} →</a>
        )}
        <a href={href('tensors', first.layer ?? lossName)}>
          All tensors of this layer (engineering)
        </a>
      </p>
    </section>
  )
}

const described = (name: string) => `${layerNamed(name)?.description ?? name} (${name})`

function readText(read: number): string {
  const before = read < 0 ? null : at(nodes, read)
  return before ? `${before.layer}, ${sizeText(before)}` : 'the image'
}

/** The kernels that computed it, each a link to its dispatch. */
function Kernels({ node }: { readonly node: GraphNode }) {
  const ran = dispatchesOf(inspection, node).map((index) => at(inspection.dispatches, index))
  if (ran.length === 0) return null
  const flops = ran.reduce((sum, { cost }) => sum + (cost?.flops ?? 0), 0)
  const timed = ran.every(({ milliseconds }) => milliseconds !== null)
  const spent = ran.reduce((sum, { milliseconds }) => sum + (milliseconds ?? 0), 0)
  return (
    <>
      <dt>forward</dt>
      <dd>
        {amount(flops, 'FLOP')}
        {timed ? ` in ${time(spent)}` : ''}
      </dd>
      <dt>{ran.length > 1 ? 'kernels' : 'kernel'}</dt>
      <dd>
        {ran
          .filter(({ pass }) => passKind(pass) === 'forward')
          .map(({ index, source }, i) => (
            <span key={index}>
              {i ? ', ' : ''}
              <a href={href('timeline', index)}>{at(inspection.sources, source).kernel}</a>
            </span>
          ))}
      </dd>
    </>
  )
}
