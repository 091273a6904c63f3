import { Application, type DeclarationReflection, Logger, LogLevel } from 'typedoc'
import ts from 'typescript'
import { beforeAll, describe, expect, test } from 'vitest'

/** TypeDoc's complaints, one a line. */
class Complaints extends Logger {
  readonly lines: string[] = []
  override log(message: string, level: LogLevel): void {
    if (level >= LogLevel.Warn) this.lines.push(message)
  }
}

const complaints = new Complaints()
let pages: readonly DeclarationReflection[] = []
/** Every public function and class, with what is written above it. */
let declared: readonly {
  readonly name: string
  readonly node: ts.Node
  readonly tags: readonly string[]
  readonly summary: string
}[] = []

beforeAll(async () => {
  // Where sources link to is the checkout's matter: one without a remote named origin, or without
  // git, is no fault of the pages.
  const app = await Application.bootstrapWithPlugins({
    logLevel: 'Warn',
    disableGit: true,
    sourceLinkTemplate: '{path}#L{line}',
  })
  app.logger = complaints
  const sources = app.getEntryPoints() ?? []
  const project = await app.convert()
  if (!project) throw new Error(complaints.lines.join('\n'))
  app.validate(project)
  pages = project.children ?? []
  declared = sources.flatMap(({ program, sourceFile }) =>
    publicDeclarations(program.getTypeChecker(), sourceFile),
  )
}, 300_000)

function publicDeclarations(checker: ts.TypeChecker, file: ts.SourceFile) {
  const symbol = checker.getSymbolAtLocation(file)
  const exported = symbol ? checker.getExportsOfModule(symbol) : []
  return exported.flatMap((one) => {
    const target = one.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one
    return (target.declarations ?? [])
      .filter((node) => ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node))
      .map((node) => ({
        ...{ name: one.name, node },
        tags: target.getJsDocTags(checker).map((tag) => tag.name),
        summary: ts.displayPartsToString(target.getDocumentationComment(checker)),
      }))
  })
}

/**
 * Whether a function's own body throws; what it calls may throw too, which nobody can see from
 * here.
 */
function throws(node: ts.Node): boolean {
  if (ts.isThrowStatement(node)) return true
  return ts.forEachChild(node, (child) => throws(child) || undefined) ?? false
}

function tagsOf(node: ts.Node): string[] {
  return ts.getJSDocTags(node).map(({ tagName }) => tagName.text)
}

/** Whether a class's member is for its users: not private, nor of use to Graft's own code alone. */
function isPublic(member: ts.ClassElement): boolean {
  const hidden = member.name !== undefined && ts.isPrivateIdentifier(member.name)
  return !hidden && !tagsOf(member).includes('internal')
}

function firstLine(node: ts.Node): string {
  return node.getText().split('\n')[0] ?? ''
}

const entries = [
  'graft-webgpu',
  'graft-webgpu/browser',
  'graft-webgpu/inspector',
  'graft-webgpu/inspector in a browser',
]
const none: readonly string[] = []

describe('what is public', () => {
  test('has pages in which every name is explained and every link leads somewhere', () => {
    expect(pages.map(({ name }) => name)).toEqual(entries)
    expect(complaints.lines).toEqual(none)
  })

  test('functions and classes say what they do, with an example', () => {
    expect(declared.length).toBeGreaterThan(60)
    const lacking = declared.filter(({ summary, tags }) => !summary || !tags.includes('example'))
    expect(lacking.map(({ name }) => name)).toEqual(none)
  })

  test('functions and methods that throw say what', () => {
    const silent = declared.flatMap(({ name, node, tags }) => {
      const parts = ts.isClassDeclaration(node) ? node.members.filter(isPublic) : [node]
      // A function that is overloaded has its text above its first signature.
      const saidOf = (part: ts.Node) => (part === node ? tags : tagsOf(part))
      return parts
        .filter((part) => throws(part) && !saidOf(part).includes('throws'))
        .map((part) => `${name}: ${firstLine(part)}`)
    })
    expect([...new Set(silent)]).toEqual(none)
  })
})
