/**
 * The notation in which Graft's WGSL files say what plain WGSL cannot: registers that must be
 * unrolled, because the lane of a broadcast has to be a constant expression. A line that opens with
 * `#` is a directive, everything else is WGSL:
 *
 *     #include "lib/linear.wgsl"        the text of another file under shaders/
 *     #let VECTORS = ROWS / 4           a name for an integer, until the #repeat around it ends
 *     #repeat i in 0..VECTORS           the lines up to #end repeat i, once for each i
 *       sum#{i} += w * b[#{4 * i}u];    #{…} anywhere in a line: the value of an integer expression
 *     #end repeat i
 *     #if BIAS == 1                     one branch or the other; #else may be left out
 *       sum += bias[o];
 *     #else
 *       sum += 0.5;
 *     #end if
 *
 * An `#end` names what it closes. The lines of a block are written two spaces further in than its
 * directive; expansion takes these two away, so that the expanded text is indented as usual. What
 * `#let` names outside a block stays known to the files that include this one.
 *
 * Expressions are integer arithmetic (`/` rounds down) over the kernel's constants and the names in
 * scope.
 */
import { at } from '../../base/at.ts'
import { GraftError } from '../../base/errors.ts'

/** Expanded WGSL, and for every line of it the file and line it was written on. */
export interface ExpandedShader {
  readonly code: string
  readonly origins: readonly LineOrigin[]
}

export interface LineOrigin {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
}

type Scope = Readonly<Record<string, number>>

/**
 * Expands one file.
 * @param files every file under shaders/, by its path
 * @param constants the integers that expressions may name
 * @throws GraftError (code `shader`), naming file and line, for an unknown file or name, an `#end`
 * that is missing or names another block, or a malformed expression
 * @example
 * const files = new Map([['a.wgsl', '#repeat i in 0..2\n  let x#{i} = #{i * 2};\n#end repeat i']])
 * expandShader(files, 'a.wgsl', {}).code // let x0 = 0; let x1 = 2;
 */
export function expandShader(
  files: ReadonlyMap<string, string>,
  file: string,
  constants: Scope,
): ExpandedShader {
  const code: string[] = []
  const origins: LineOrigin[] = []
  const emit = (text: string, origin: LineOrigin) => {
    code.push(text)
    origins.push(origin)
  }
  expandFile(files, file, { ...constants }, emit, [])
  return { code: code.join('\n'), origins }
}

function expandFile(
  files: ReadonlyMap<string, string>,
  file: string,
  fileScope: Record<string, number>,
  emit: (text: string, origin: LineOrigin) => void,
  including: readonly string[],
): void {
  const text = files.get(file)
  if (text === undefined)
    throw new GraftError(
      'shader',
      `no shader file ${file}${including.length ? `, included by ${including.at(-1)}` : ''}`,
    )
  if (including.includes(file))
    throw new GraftError('shader', `${file} includes itself through ${including.join(', ')}`)
  const lines = text.split('\n')
  const fail = (line: number, message: string): never => {
    throw new GraftError('shader', `${file}:${line + 1}: ${message}`)
  }
  const evaluate = (expression: string, scope: Scope, line: number): number => {
    try {
      return evaluateExpression(expression, scope)
    } catch (error) {
      return fail(line, error instanceof Error ? error.message : String(error))
    }
  }
  /** The text after a directive's word, in its parts. */
  const parse = (rest: string, syntax: RegExp, usage: string, line: number): string[] =>
    syntax.exec(rest)?.slice(1) ?? fail(line, `write ${usage}`)

  /** The lines of the `#end` and the `#else` that belong to the block opened on line `open`. */
  const findEnd = (open: number): { otherwise: number | null; end: number } => {
    const blocks: { readonly label: string; readonly line: number }[] = []
    let otherwise: number | null = null
    for (let i = open; i < lines.length; i++) {
      const { word, rest } = directive(at(lines, i)) ?? {}
      if (word === 'repeat') blocks.push({ label: `repeat ${rest?.split(' ')[0]}`, line: i })
      else if (word === 'if') blocks.push({ label: 'if', line: i })
      else if (word === 'else' && blocks.length === 1) otherwise = i
      else if (word === 'end') {
        const { label, line } = blocks.pop() ?? fail(i, '#end closes nothing')
        if (rest !== label)
          fail(i, `write #end ${label}: that is the block opened on line ${line + 1}`)
        if (blocks.length === 0) return { otherwise, end: i }
      }
    }
    return fail(open, 'no #end closes this block')
  }

  const walk = (from: number, to: number, scope: Record<string, number>, depth: number): void => {
    for (let i = from; i < to; i++) {
      const line = at(lines, i)
      const { word, rest } = directive(line) ?? { word: null, rest: line }
      if (word === null) {
        const outdented = rest.slice(Math.min(2 * depth, rest.search(/\S|$/)))
        const code = outdented.replace(/#\{([^}]*)\}/g, (_, expression: string) =>
          String(evaluate(expression, scope, i)),
        )
        emit(code, { file, line: i + 1 })
      } else if (word === 'include') {
        const included = parse(rest, /^"(.+)"$/, '#include "file.wgsl"', i)
        expandFile(files, at(included, 0), scope, emit, [...including, file])
      } else if (word === 'let') {
        const parts = parse(rest, /^(\w+) = (.+)$/, '#let NAME = expression', i)
        const name = at(parts, 0)
        if (name in scope) fail(i, `'${name}' has a value already`)
        scope[name] = evaluate(at(parts, 1), scope, i)
      } else if (word === 'repeat') {
        const syntax = /^(\w+)\s+in\s+(.+?)\.\.(.+)$/
        const parts = parse(rest, syntax, '#repeat name in first..last', i)
        const name = at(parts, 0)
        const { end } = findEnd(i)
        const stop = evaluate(at(parts, 2), scope, i)
        for (let value = evaluate(at(parts, 1), scope, i); value < stop; value++)
          walk(i + 1, end, { ...scope, [name]: value }, depth + 1)
        i = end
      } else if (word === 'if') {
        const { otherwise, end } = findEnd(i)
        if (evaluate(rest, scope, i)) walk(i + 1, otherwise ?? end, scope, depth + 1)
        else if (otherwise !== null) walk(otherwise + 1, end, scope, depth + 1)
        i = end
      } else fail(i, `#${word} is not a directive, or closes nothing`)
    }
  }
  walk(0, lines.length, fileScope, 0)
}

/** A line's directive and what follows it; null for WGSL. */
function directive(line: string): { readonly word: string; readonly rest: string } | null {
  const [, word, rest] = /^\s*#(\w+)\s*(.*?)\s*$/.exec(line) ?? []
  return word === undefined || rest === undefined ? null : { word, rest }
}

const precedence: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['==', '!='],
  ['<=', '>=', '<', '>'],
  ['+', '-'],
  ['*', '/', '%'],
]

const operators: Readonly<Record<string, (a: number, b: number) => number>> = {
  '||': (a, b) => Number(a !== 0 || b !== 0),
  '&&': (a, b) => Number(a !== 0 && b !== 0),
  '==': (a, b) => Number(a === b),
  '!=': (a, b) => Number(a !== b),
  '<=': (a, b) => Number(a <= b),
  '>=': (a, b) => Number(a >= b),
  '<': (a, b) => Number(a < b),
  '>': (a, b) => Number(a > b),
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => Math.floor(a / b),
  '%': (a, b) => a % b,
}

/** Integer expressions by precedence climbing. Throws an Error that quotes the expression. */
export function evaluateExpression(expression: string, scope: Scope): number {
  const tokens = expression.match(/\d+|\w+|\|\||&&|[=!<>]=|[-+*/%()<>!]|\S/g) ?? []
  let next = 0
  const wrong = (why: string): never => {
    throw new Error(`${why} in the expression '${expression}'`)
  }
  const operand = (): number => {
    const token = tokens[next++] ?? wrong('something is missing')
    if (token === '(') {
      const value = climb(0)
      if (tokens[next++] !== ')') wrong("a ')' is missing")
      return value
    }
    if (token === '-') return -operand()
    if (token === '!') return Number(operand() === 0)
    if (/^\d+$/.test(token)) return Number(token)
    return scope[token] ?? wrong(`'${token}' has no value`)
  }
  const climb = (level: number): number => {
    const here = precedence[level]
    if (!here) return operand()
    let value = climb(level + 1)
    for (
      let token = tokens[next];
      token !== undefined && here.includes(token);
      token = tokens[next]
    ) {
      next++
      value = operators[token]?.(value, climb(level + 1)) ?? wrong(`'${token}' is not an operator`)
    }
    return value
  }
  const value = climb(0)
  if (next < tokens.length) wrong(`'${tokens[next]}' is left over`)
  if (!Number.isInteger(value)) wrong('the value is not an integer')
  return value
}
