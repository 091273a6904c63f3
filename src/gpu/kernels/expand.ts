/**
 * The notation in which Graft's WGSL files say what plain WGSL cannot: registers that must be
 * unrolled, because a broadcast's lane is a constant expression. A line that opens with `#` is a
 * directive, everything else is WGSL:
 *
 *     #include "lib/linear.wgsl"        the text of another file under shaders/
 *     #repeat r in 0..ROWS / 4          the lines up to #end, once for each r
 *     #if BIAS == 1  …  #else  …  #end  one branch or the other
 *     s#{r} += w * b[#{4 * r}u];        #{…} anywhere in a line: the value of an integer expression
 *
 * Expressions are integer arithmetic (`/` rounds down) over the kernel's constants and the loop
 * variables in scope.
 */
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
 * @throws GraftError (code `shader`) for an unknown file or name, a missing `#end`, or a malformed
 * expression, naming file and line
 * @example expandShader(new Map([['a.wgsl', '#repeat i in 0..2\nlet x#{i} = #{i * 2};\n#end']]), 'a.wgsl', {}).code // let x0 = 0; let x1 = 2;
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
  expandFile(files, file, constants, emit, [])
  return { code: code.join('\n'), origins }
}

function expandFile(
  files: ReadonlyMap<string, string>,
  file: string,
  constants: Scope,
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

  /** The `#end` (and `#else` at the same depth) that closes the block opened on `open`. */
  const findEnd = (open: number): { otherwise: number | null; end: number } => {
    let depth = 0
    let otherwise: number | null = null
    for (let i = open; i < lines.length; i++) {
      const word = /^\s*#(\w+)/.exec(lines[i] ?? '')?.[1]
      if (word === 'repeat' || word === 'if') depth++
      else if (word === 'else' && depth === 1) otherwise = i
      else if (word === 'end' && --depth === 0) return { otherwise, end: i }
    }
    return fail(open, 'no #end closes this block')
  }

  const walk = (from: number, to: number, scope: Scope): void => {
    for (let i = from; i < to; i++) {
      const line = lines[i] ?? ''
      const directive = /^\s*#(\w+)\s*(.*?)\s*$/.exec(line)
      if (!directive) {
        emit(
          line.replace(/#\{([^}]*)\}/g, (_, expression: string) =>
            String(evaluate(expression, scope, i)),
          ),
          { file, line: i + 1 },
        )
        continue
      }
      const [, word, rest = ''] = directive
      if (word === 'include') {
        const name = /^"(.+)"$/.exec(rest)?.[1] ?? fail(i, 'write #include "file.wgsl"')
        expandFile(files, name, constants, emit, [...including, file])
      } else if (word === 'repeat') {
        const [, name, first, last] =
          /^(\w+)\s+in\s+(.+?)\.\.(.+)$/.exec(rest) ?? fail(i, 'write #repeat name in first..last')
        const { end } = findEnd(i)
        const stop = evaluate(last ?? '', scope, i)
        for (let value = evaluate(first ?? '', scope, i); value < stop; value++)
          walk(i + 1, end, { ...scope, [name ?? '']: value })
        i = end
      } else if (word === 'if') {
        const { otherwise, end } = findEnd(i)
        if (evaluate(rest, scope, i)) walk(i + 1, otherwise ?? end, scope)
        else if (otherwise !== null) walk(otherwise + 1, end, scope)
        i = end
      } else fail(i, `#${word} is not a directive, or closes nothing`)
    }
  }
  walk(0, lines.length, constants)
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
  let at = 0
  const wrong = (why: string): never => {
    throw new Error(`${why} in the expression '${expression}'`)
  }
  const operand = (): number => {
    const token = tokens[at++] ?? wrong('something is missing')
    if (token === '(') {
      const value = climb(0)
      if (tokens[at++] !== ')') wrong("no ')'")
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
    for (let token = tokens[at]; token !== undefined && here.includes(token); token = tokens[at]) {
      at++
      value = operators[token]?.(value, climb(level + 1)) ?? wrong(`'${token}' is no operator`)
    }
    return value
  }
  const value = climb(0)
  if (at < tokens.length) wrong(`'${tokens[at]}' is left over`)
  if (!Number.isInteger(value)) wrong('the value is no integer')
  return value
}
