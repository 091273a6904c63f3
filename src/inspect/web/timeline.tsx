import { useEffect, useRef } from 'preact/hooks'
import { passKind } from '../../nn/layerTimes.ts'
import { references } from './built.ts'
import { Code } from './code.tsx'
import { type Cost, inspection, limitOf, shaderText } from './model.ts'
import { go, href } from './route.ts'
import { Header, Scroll } from './scroll.tsx'
import { amount, rate, shapeText, share, time } from './text.ts'

/** Every dispatch in order, when it ran and for how long; the selected one in full beside them. */
export function Timeline({ args }: { readonly args: readonly string[] }) {
  const { dispatches, sources, omissions } = inspection
  const selected = Math.min(dispatches.length - 1, Math.max(0, Number(args[0]) || 0))
  const last = dispatches.at(-1)
  // Without timestamps every bar has length 0.
  const span = (last?.begin ?? 0) + (last?.milliseconds ?? 0) || 1
  const list = useRef<HTMLOListElement>(null)
  useEffect(() => {
    list.current?.children[selected]?.scrollIntoView({ block: 'nearest' })
  }, [selected])
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key]
    if (!step) return
    event.preventDefault()
    const next = Math.min(dispatches.length - 1, Math.max(0, selected + step))
    go('timeline', next)
    list.current?.querySelectorAll<HTMLElement>('button')[next]?.focus()
  }
  return (
    <section class="split">
      <div class="list">
        <h2>Dispatches</h2>
        <ol class="dispatches" ref={list} onKeyDown={onKeyDown}>
          {dispatches.map((one, i) => (
            <li key={one.index}>
              <button
                type="button"
                aria-current={i === selected}
                onClick={() => go('timeline', i)}
                tabIndex={i === selected ? 0 : -1}
              >
                <span class="index">{i}</span>
                <span class="who">
                  {one.layer ?? one.operator} <span class="quiet">{one.pass}</span>
                </span>
                <span class="file">
                  {sources[one.source]?.kernel.replace('.wgsl', '').replace('/', '/\u200b')}
                </span>
                <span class="bar" aria-hidden="true">
                  <span
                    class={passKind(one.pass)}
                    style={{
                      marginLeft: `${(100 * (one.begin ?? 0)) / span}%`,
                      width: `${Math.max(0.4, (100 * (one.milliseconds ?? 0)) / span)}%`,
                    }}
                  />
                </span>
                <span class="ms">{time(one.milliseconds)}</span>
              </button>
            </li>
          ))}
        </ol>
        {omissions.length ? (
          <details class="omissions" open={omissions.length < 12}>
            <summary>{omissions.length} pieces of work were left out</summary>
            <ul>
              {omissions.map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          </details>
        ) : null}
      </div>
      <Detail index={selected} />
    </section>
  )
}

/** Where an operator's float64 reference is written. */
const referenceFiles: Readonly<Record<string, string>> = {
  SGD: 'optimizers',
  Adam: 'optimizers',
  AdamW: 'optimizers',
}

function Detail({ index }: { readonly index: number }) {
  const one = inspection.dispatches[index]
  const source = one ? inspection.sources[one.source] : undefined
  if (!one || !source) return null
  const header = formula(shaderText(source.kernel))
  const reference = references[referenceFiles[one.operator] ?? one.operator]
  return (
    <article class="detail">
      <h2>
        {one.layer ?? one.operator} <span class="quiet">{one.pass}</span>
      </h2>
      <dl class="facts-list">
        <Fact name="operator">{one.operator}</Fact>
        <Fact name="kernel">shaders/{source.kernel}, entry point main</Fact>
        <Fact name="workgroups">
          {one.workgroups.join(' x ')} of {one.workgroup.join(' x ')} threads
          {one.idle === null
            ? ''
            : `; ${amount(one.idle)} of ${amount(one.threads)} idle in the tail`}
        </Fact>
        <Fact name="GPU time">{time(one.milliseconds)}</Fact>
        {one.cost ? (
          <Fact name="work">
            {one.cost.flops ? amount(one.cost.flops, 'FLOP') : 'no arithmetic'},{' '}
            {amount(one.cost.bytes, 'B')}
            {one.milliseconds ? `: ${rates(one.cost, one.milliseconds)}` : ''}
          </Fact>
        ) : null}
        {one.share !== null && one.cost ? (
          <Fact name="roofline">
            {share(one.share)} of what this adapter's {limitOf(one.cost)} allows
            {one.share > 1 ? ': a cache is faster than the memory that was measured' : ''}
          </Fact>
        ) : null}
        <Fact name="compiled in">{time(one.compileMilliseconds)}</Fact>
        <Fact name="constants">{pairs(source.constants)}</Fact>
        {Object.keys(one.overrides).length ? (
          <Fact name="overrides">{pairs(one.overrides)}</Fact>
        ) : null}
        <Fact name="params">{pairs(one.params)}</Fact>
      </dl>
      <Scroll label="Bindings">
        <table>
          <caption>Bindings</caption>
          <Header columns={['binding', 'name', 'access', 'shape', 'size']} numbers={['size']} />
          <tbody>
            {one.bindings.map((binding) => (
              <tr key={binding.name}>
                <td>{binding.binding}</td>
                <td>{binding.name}</td>
                <td>{binding.writable ? 'written' : 'read'}</td>
                <td>
                  {binding.shape
                    ? shapeText(binding.shape)
                    : binding.offset
                      ? `from byte ${binding.offset}`
                      : ''}
                </td>
                <td class="right">{amount(binding.bytes, 'B')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {one.layer ? (
        <p>
          <a href={href('tensors', one.layer.replace(/\.(weight|bias)$/, ''))}>
            The layer's tensors
          </a>
        </p>
      ) : null}
      <h3>What it computes</h3>
      <pre class="formula">{header}</pre>
      <div class="beside">
        <div>
          <h3>The WGSL that ran</h3>
          <Code label="The WGSL that ran" language="wgsl" text={source.code} />
        </div>
        {reference ? (
          <div>
            <h3>The reference, on the CPU in float64</h3>
            <Code label="The reference in TypeScript" language="typescript" text={reference} />
          </div>
        ) : null}
      </div>
    </article>
  )
}

function Fact({
  name,
  children,
}: {
  readonly name: string
  readonly children: preact.ComponentChildren
}) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

const rates = ({ flops, bytes }: Cost, milliseconds: number) =>
  [...(flops ? [rate(flops, milliseconds, 'FLOP')] : []), rate(bytes, milliseconds, 'B')].join(', ')

const pairs = (values: Readonly<Record<string, number>>) =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ') || 'none'

/** A shader file's opening comment. */
function formula(text: string): string {
  const lines = text.split('\n')
  const end = lines.findIndex((line) => !line.startsWith('//'))
  return lines
    .slice(0, end)
    .map((line) => line.replace(/^\/\/ ?/, ''))
    .join('\n')
}
