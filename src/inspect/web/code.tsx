import {
  HighlightStyle,
  StreamLanguage,
  type StringStream,
  syntaxHighlighting,
} from '@codemirror/language'
import { clike } from '@codemirror/legacy-modes/mode/clike'
import { typescript } from '@codemirror/legacy-modes/mode/javascript'
import { EditorState, type Extension } from '@codemirror/state'
import { EditorView, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { useEffect, useRef } from 'preact/hooks'

const words = (text: string) => Object.fromEntries(text.split(' ').map((word) => [word, true]))

/**
 * WGSL is close enough to C for a highlighter; its notation of #-lines is taken for a
 * preprocessor's.
 */
const wgsl = clike({
  name: 'wgsl',
  keywords: words(
    'fn let var const override struct if else for while loop return break continue switch case ' +
      'default enable select storage uniform read read_write workgroup function private',
  ),
  types: words(
    'f32 f16 u32 i32 bool vec2f vec3f vec4f vec2u vec3u vec4u array atomic vec4 vec3 vec2 ptr',
  ),
  atoms: words('true false'),
  hooks: {
    '@': (stream: StringStream) => {
      stream.eatWhile(/\w/)
      return 'meta'
    },
    '#': (stream: StringStream) => {
      if (stream.column() > 0 && stream.peek() === '{') {
        stream.eatWhile(/[^}]/)
        stream.next()
        return 'meta'
      }
      stream.eatWhile(/\w/)
      return 'meta'
    },
  },
})

const languages = {
  wgsl: StreamLanguage.define(wgsl),
  typescript: StreamLanguage.define(typescript),
}

const colors = HighlightStyle.define([
  { tag: tags.comment, color: 'var(--code-comment)' },
  { tag: tags.keyword, color: 'var(--code-keyword)' },
  { tag: [tags.typeName, tags.standard(tags.typeName)], color: 'var(--code-type)' },
  { tag: [tags.number, tags.atom, tags.string], color: 'var(--code-value)' },
  { tag: tags.meta, color: 'var(--code-meta)' },
])

export function codeExtensions(language: keyof typeof languages): Extension[] {
  return [lineNumbers(), languages[language], syntaxHighlighting(colors), EditorView.lineWrapping]
}

/** What scrolls can be reached by Tab, and says what it is. */
export function scrollsByKeyboard(view: EditorView, label: string): void {
  view.scrollDOM.tabIndex = 0
  view.scrollDOM.setAttribute('role', 'group')
  view.scrollDOM.setAttribute('aria-label', label)
}

interface CodeProps {
  readonly label: string
  readonly language: keyof typeof languages
  readonly text: string
}

/** Text to read, with its lines numbered and its words colored. */
export function Code({ label, language, text }: CodeProps) {
  const host = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (!host.current) return
    const extensions = [
      ...codeExtensions(language),
      EditorState.readOnly.of(true),
      EditorView.contentAttributes.of({ 'aria-label': label, 'aria-readonly': 'true' }),
    ]
    const view = new EditorView({
      parent: host.current,
      state: EditorState.create({ doc: text, extensions }),
    })
    scrollsByKeyboard(view, `${label}, to scroll`)
    return () => view.destroy()
  }, [label, language, text])
  return <div class="code" ref={host} />
}
