/** Part of `npm run build`: packs the demo's emoji into dist, beside the module that opens them. */
import { writeFile } from 'node:fs/promises'
import { openEmoji } from '../emoji.ts'
import { emojiArchive, emojiLicense } from './emojiArchive.ts'

const folder = new URL('../../../dist/data/', import.meta.url)
await writeFile(new URL('emoji.tar', folder), await emojiArchive(await openEmoji()))
await writeFile(new URL('emoji.license.txt', folder), await emojiLicense())
