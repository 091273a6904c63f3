import { useEffect, useMemo, useState } from 'preact/hooks'
import { at } from '../base/at.ts'
import { counted, thousands } from '../base/format.ts'
import { printable } from '../base/printable.ts'
import { countByClass, type ImageDataset } from '../data/dataset.ts'
import { FoldedTable } from '../report/sections/table.tsx'
import { FileButton, Problem } from './fields.tsx'
import { bringsFiles, type Selection, selectionFrom } from './selection.ts'

interface ImagesProps {
  readonly selection: Selection | null
  /** The dataset of the files, or why there is none. */
  readonly data: ImageDataset | string | null
  readonly onSelect: (selection: Selection) => void
  readonly busy: boolean
}

/** A place to drop a folder of images, and what is in it. */
export function Images({ selection, data, onSelect, busy }: ImagesProps) {
  const [over, setOver] = useState(false)
  const take = (event: Event) => void selectionFrom(event).then(onSelect)
  useEffect(() => {
    // Anywhere on the page: outside the frame, the browser would open the dropped image.
    const onDrag = (event: DragEvent) => {
      event.preventDefault()
      setOver(event.type === 'dragover')
    }
    const onDrop = (event: DragEvent) => {
      onDrag(event)
      if (!busy && bringsFiles(event)) take(event)
    }
    document.addEventListener('dragover', onDrag)
    document.addEventListener('dragleave', onDrag)
    document.addEventListener('drop', onDrop)
    return () => {
      document.removeEventListener('dragover', onDrag)
      document.removeEventListener('dragleave', onDrag)
      document.removeEventListener('drop', onDrop)
    }
  })
  return (
    <section aria-labelledby="images">
      <h2 id="images">Your images</h2>
      <div class={`drop${over ? ' over' : ''}${selection ? ' small' : ''}`}>
        {busy ? (
          <p>Other images can be chosen after the training.</p>
        ) : (
          <>
            <FileButton folder main={!selection} onFiles={take}>
              {selection ? 'Choose another folder' : 'Choose a folder'}
            </FileButton>
            <p>or drop one here.</p>
          </>
        )}
      </div>
      {!selection && <Layouts />}
      {typeof data === 'string' && <Problem>{data}</Problem>}
      {selection && <PassedOver selection={selection} />}
      {selection && data !== null && typeof data !== 'string' && (
        <Found selection={selection} data={data} />
      )}
    </section>
  )
}

function Layouts() {
  return (
    <>
      <p>
        One folder for each class, with its images inside: <code>photos/cat/1.jpg</code>,{' '}
        <code>photos/dog/1.jpg</code>. Or already divided: <code>photos/train/cat/…</code> and{' '}
        <code>photos/val/cat/…</code>. JPEG, PNG or WebP; a few dozen of each class are enough for a
        start.
      </p>
      <p>The images are read by this page, on this machine. They are not uploaded.</p>
    </>
  )
}

function PassedOver({ selection }: { readonly selection: Selection }) {
  const { passedOver } = selection
  if (passedOver.length === 0) return null
  const raw = passedOver.some(([ending]) => /heic|heif|avif|tiff?|bmp|gif/.test(ending))
  const shown = passedOver.slice(0, 4).map(([ending, count]) => `${thousands(count)} ${ending}`)
  const more = passedOver.length > shown.length ? ' and others' : ''
  return (
    <p class="quiet">
      Not read, because they are not JPEG, PNG or WebP: {shown.join(', ')}
      {more}.{raw ? ' Convert those images to use them.' : ''}
    </p>
  )
}

/** This many classes are shown with images; the others are listed in a table. */
const shownClasses = 12
const thumbnails = 4

function Found({
  selection,
  data,
}: {
  readonly selection: Selection
  readonly data: ImageDataset
}) {
  const { classes, train, val } = data
  const counts = useMemo(() => {
    const trained = countByClass(train, classes.length)
    const heldOut = countByClass(val, classes.length)
    return classes.map((name, label) => ({
      name,
      train: at(trained, label),
      val: at(heldOut, label),
    }))
  }, [classes, train, val])
  const rest = counts.slice(shownClasses)
  return (
    <>
      <p data-testid="found">
        <strong>{selection.root}</strong>: {counted(classes.length, 'class', 'classes')},{' '}
        {counted(train.length, 'image')} to train on, {thousands(val.length)} held out to validate.
      </p>
      {data.remarks?.map((remark) => (
        <p key={remark} class="quiet" data-testid="remark">
          Note: {printable(remark)}.
        </p>
      ))}
      <ul class="classes">
        {counts.slice(0, shownClasses).map(({ name, train, val }, label) => (
          <li key={name}>
            <p>
              <bdi class="name">{name}</bdi>{' '}
              <span class="quiet">
                {thousands(train)} to train on, {thousands(val)} held out
              </span>
            </p>
            <Thumbnails data={data} label={label} />
          </li>
        ))}
      </ul>
      {rest.length > 0 && (
        <FoldedTable
          caption={counted(rest.length, 'more class', 'more classes')}
          header={['class', 'to train on', 'held out']}
          rows={rest.map(({ name, train, val }) => [name, train, val])}
          numbers={[1, 2]}
        />
      )}
    </>
  )
}

function Thumbnails({ data, label }: { readonly data: ImageDataset; readonly label: number }) {
  const files = useMemo(() => firstOf(data, label), [data, label])
  return (
    <div class="thumbnails" aria-hidden="true">
      {files.map((file, i) => (
        <Thumbnail key={i} file={file} />
      ))}
    </div>
  )
}

/** A class's first few images. */
function firstOf({ train }: ImageDataset, label: number): Blob[] {
  const found: Blob[] = []
  for (const sample of train) {
    if (sample.label === label && sample.source instanceof Blob) found.push(sample.source)
    if (found.length === thumbnails) break
  }
  return found
}

/** A small view of a file. Its object URL is released with the view. */
export function Thumbnail({ file, alt = '' }: { readonly file: Blob; readonly alt?: string }) {
  const [address, setAddress] = useState<string>()
  useEffect(() => {
    const made = URL.createObjectURL(file)
    setAddress(made)
    return () => URL.revokeObjectURL(made)
  }, [file])
  return <img src={address} alt={alt} width={64} height={64} loading="lazy" decoding="async" />
}
